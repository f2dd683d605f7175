use std::{error::Error, io};

fn main() -> Result<(), Box<dyn Error>> {
    let n: u64 = serde_json::from_reader(io::stdin())?;
    println!("{}", n + 1);
    Ok(())
}
