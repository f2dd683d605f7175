use std::collections::HashMap;

fn deeper(n: u64) -> u64 {
    let here = [n; 4096];
    std::hint::black_box(&here);
    if n == u64::MAX { 0 } else { deeper(n + 1) + here[7] }
}

pub fn handler(n: u32) -> Result<HashMap<(u8, u8), u64>, String> {
    match n {
        0 => panic!("as asked"),
        1 => std::panic::panic_any(7u8),
        2 => Ok(HashMap::from([((0, 0), deeper(0))])),
        3 => std::process::abort(),
        4 => std::process::exit(0),
        _ => Ok(HashMap::from([((1, 2), 3)])),
    }
}
