use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    user: User,
    #[serde(default)]
    ids: Vec<u64>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    age: u8,
}

#[derive(Serialize)]
pub struct Output {
    text: String,
    last: Option<u64>,
}

pub fn handler(input: Input) -> Result<Output, String> {
    let text = format!("<{}> is {}", input.user.name, input.user.age);
    Ok(Output { text, last: input.ids.last().copied() })
}
