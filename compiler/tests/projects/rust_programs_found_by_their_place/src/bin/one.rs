fn main() {
    println!("{}", shop::ONE);
}
