use serde_json::{Value, json};

pub fn handler(input: Value) -> Result<Value, String> {
    let name = input["name"].as_str().ok_or("name is missing")?;
    eprintln!("greeting {name}");
    Ok(json!({ "message": format!("Hello, {name}!") }))
}
