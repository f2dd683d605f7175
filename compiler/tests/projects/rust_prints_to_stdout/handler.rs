use std::io::Write;

pub fn handler(input: String) -> Result<String, std::convert::Infallible> {
    println!("printed by mistake");
    let _ = std::io::stdout().write_all(b"{\"written\":1}\n");
    Ok(input)
}
