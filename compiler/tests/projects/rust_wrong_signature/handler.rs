pub fn handler(input: String) -> String {
    input
}
