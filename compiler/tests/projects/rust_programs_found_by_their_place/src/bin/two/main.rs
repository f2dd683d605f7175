fn main() {
    println!("{}", shop::ONE + 1);
}
