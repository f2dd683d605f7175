pub fn handler(input: String) -> Result<String, String> {
    let number: u8 = "seven";
    missing(number);
    Ok(input)
}
