pub fn handler(index: usize) -> Result<u8, String> {
    let bytes = [1, 2, 3];
    Ok(bytes[index])
}
