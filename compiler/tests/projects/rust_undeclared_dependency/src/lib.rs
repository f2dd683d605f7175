pub fn handler(input: String) -> Result<String, String> {
    Ok(input)
}
