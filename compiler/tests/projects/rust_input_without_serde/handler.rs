pub struct Input;

pub fn handler(_: Input) -> Result<(), String> {
    Ok(())
}
