use std::error::Error;

pub fn handler(input: String) -> Result<u64, Box<dyn Error>> {
    Ok(input.parse()?)
}
