pub fn handler(input: &str) -> Result<String, String> {
    Ok(input.to_uppercase())
}
