#![recursion_limit = "100000"]

macro_rules! double {
    ($($t:tt)*) => { double!($($t)* $($t)*) };
}

pub fn handler(_: ()) -> Result<u64, String> {
    double!(1 + );
    Ok(1)
}
