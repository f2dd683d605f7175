//! Attacks with and on the three streams.

use std::{
    io::{self, Write},
    thread,
    time::Duration,
};

use crate::sys::*;

pub fn flood_stdout(_: &[String]) {
    let junk = [b'x'; 1 << 16];
    while io::stdout().write_all(&junk).is_ok() {}
}

pub fn flood_stderr(_: &[String]) {
    let junk = [b'x'; 1 << 16];
    for _ in 0..1000 {
        io::stderr().write_all(&junk).unwrap();
    }
    println!("done");
}

pub fn one_long_line(_: &[String]) {
    let junk = [b'x'; 1 << 20];
    for _ in 0..64 {
        io::stderr().write_all(&junk).unwrap();
    }
}

/// So many bytes, one at a time.
pub fn exactly(args: &[String]) {
    let count: usize = args[0].parse().unwrap();
    for _ in 0..count {
        call(1, &[1, text(b"x\0"), 1]);
    }
}

pub fn close_streams(_: &[String]) {
    for fd in 0..3 {
        call(3, &[fd]);
    }
    thread::sleep(Duration::from_millis(50));
    std::process::exit(5)
}

pub fn ignore_stdin(_: &[String]) {
    call(3, &[0]);
    println!("ignored");
}

/// Standard input is a file of ours: it must not change.
pub fn write_stdin(_: &[String]) {
    attempt_call("write", 1, &[0, text(b"x\0"), 1]);
    attempt_call("truncate", 77, &[0, 0]);
    attempt_call("map-writable-shared", 9, &[0, 4096, 3, 1, 0, 0]);
}

pub fn trickle(_: &[String]) {
    loop {
        print!("x");
        io::stdout().flush().unwrap();
        thread::sleep(Duration::from_millis(5));
    }
}
