fn main() {
    println!("cargo::warning=\x1b]0;owned\x07\x1b[31mred\x1b[0m");
    eprintln!("\x1b[31mred again\0");
    std::process::exit(1)
}
