pub fn handler(n: u64) -> u64 {
    n
}
