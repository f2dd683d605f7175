#[derive(serde::Deserialize)]
pub struct Input {
    name: String,
}

include!(concat!(env!("OUT_DIR"), "/made.rs"));

pub fn handler(input: Input) -> Result<String, String> {
    Ok(format!("{} made {MADE}", input.name))
}
