//! Compiled once per toolchain, so that everything a handler usually needs is already compiled.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Example {
    pub text: String,
}

pub fn handler(input: Example) -> Result<Example, String> {
    Ok(input)
}
