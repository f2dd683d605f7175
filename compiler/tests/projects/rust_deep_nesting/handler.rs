macro_rules! deep {
    (1) => { 0 };
    ($a:literal $($rest:literal)*) => { ((((((((deep!($($rest)*))))))))) };
}

pub fn handler(_: ()) -> Result<i32, String> {
    type Endless = Box<Endless>;
    let _: Option<Endless> = None;
    Ok(deep!(1))
}
