fn main() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    println!("{}", shop::event_handler(line.trim().parse().unwrap()));
}
