mod handler;

fn main() {
    println!("{}", handler::handler(41).unwrap());
}
