pub fn handler(_: ()) -> Result<[Option<&'static str>; 4], String> {
    let hostname = option_env!("HOSTNAME");
    Ok([option_env!("DATABASE_URL"), option_env!("APPRUN_JWT_SECRET"), hostname, option_env!("USER")])
}
