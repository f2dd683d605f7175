pub fn handler(input: String) -> Result<String, String> {
    let unused = 7;
    Ok(input)
}
