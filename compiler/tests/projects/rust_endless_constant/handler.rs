#![allow(long_running_const_eval)]

const ENDLESS: u64 = {
    let mut count = 0u64;
    while count < u64::MAX {
        count += 1;
    }
    count
};

pub fn handler(_: ()) -> Result<u64, String> {
    Ok(ENDLESS)
}
