struct Deeper<T>(T);

fn descend<T>(value: T, left: u64) -> u64 {
    if left == 0 { 0 } else { descend(Deeper(value), left - 1) }
}

pub fn handler(depth: u64) -> Result<u64, String> {
    Ok(descend((), depth))
}
