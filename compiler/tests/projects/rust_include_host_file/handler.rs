const A: &[u8] = include_bytes!("/etc/shadow");
include!("/proc/self/environ");
#[path = "/etc/shadow"]
mod shadow;

pub fn handler(_: ()) -> Result<usize, String> {
    Ok(A.len())
}
