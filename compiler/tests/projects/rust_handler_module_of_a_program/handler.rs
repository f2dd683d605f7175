pub fn handler(n: u64) -> Result<u64, String> {
    Ok(n + 1)
}
