pub fn greeting(name: &str) -> String {
    format!("{}, {name}", include_str!("greeting.txt").trim())
}
