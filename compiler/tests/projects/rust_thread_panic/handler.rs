pub fn handler(input: String) -> Result<String, String> {
    let child = std::thread::spawn(|| panic!("in the background"));
    child.join().map_err(|_| format!("{input}: the thread panicked"))
}
