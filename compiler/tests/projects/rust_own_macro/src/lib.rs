pub fn handler(_: ()) -> Result<(bool, bool), String> {
    Ok(answer::answer!())
}
