use std::io;

fn main() -> io::Result<()> {
    let input: serde_json::Value = serde_json::from_reader(io::stdin())?;
    println!("{}", input["echo"]);
    Ok(())
}
