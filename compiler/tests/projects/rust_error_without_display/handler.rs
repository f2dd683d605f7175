#[derive(Debug)]
pub struct Failure;

pub fn handler(_: u32) -> Result<(), Failure> {
    Err(Failure)
}
