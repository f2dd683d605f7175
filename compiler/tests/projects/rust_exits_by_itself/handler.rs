pub fn handler(status: i32) -> Result<(), String> {
    std::process::exit(status)
}
