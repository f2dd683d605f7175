fn main() {
    println!("{}", 1 + function::ONE);
}
