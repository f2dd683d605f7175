fn main() {
    println!("\"hi\"");
}
