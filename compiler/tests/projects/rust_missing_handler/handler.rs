pub fn handle(input: String) -> Result<String, String> {
    Ok(input)
}
