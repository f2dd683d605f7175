pub fn handler(input: String) -> Result<String, String> {
    let text = ;
    Ok(text)
}
