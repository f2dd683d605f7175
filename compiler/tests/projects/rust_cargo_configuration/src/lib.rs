pub fn handler(_: ()) -> Result<Option<&'static str>, String> {
    Ok(option_env!("APPRUN"))
}
