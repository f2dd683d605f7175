pub fn handler(input: serde_json::Value) -> Result<serde_json::Value, String> {
    Ok(input)
}
