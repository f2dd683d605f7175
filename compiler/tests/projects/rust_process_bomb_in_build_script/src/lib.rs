pub fn handler(_: ()) -> Result<(), String> {
    Ok(())
}
