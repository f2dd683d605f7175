fn main() {
    println!("{}", 1 + shop::ONE);
}
