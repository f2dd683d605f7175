#[tokio::main]
async fn main() {
    println!("1");
}
