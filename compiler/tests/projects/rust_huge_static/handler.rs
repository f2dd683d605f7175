pub static HUGE: [u8; 1 << 30] = [1; 1 << 30];

pub fn handler(index: usize) -> Result<u8, String> {
    Ok(HUGE[index])
}
