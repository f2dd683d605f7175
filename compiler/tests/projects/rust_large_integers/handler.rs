use serde_json::{Value, json};

pub fn handler(input: Value) -> Result<Value, String> {
    Ok(json!([input]))
}
