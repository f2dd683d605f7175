mod words;

pub fn handler(name: String) -> Result<String, String> {
    Ok(words::greeting(&name))
}
