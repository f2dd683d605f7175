//! Every way to end.

use std::{process::exit, thread};

use crate::sys::*;

pub fn exit_with(args: &[String]) {
    exit(args[0].parse().unwrap())
}

pub fn die_of(args: &[String]) {
    let number: c_int = args[0].parse().unwrap();
    unsafe {
        signal(number, 0);
        kill(getpid(), number);
    }
}

pub fn abort_now(_: &[String]) {
    unsafe { abort() }
}

pub fn exit_in_thread(_: &[String]) {
    thread::spawn(|| exit(7)).join().unwrap();
}

pub fn tell_pid(_: &[String]) {
    println!("{}", unsafe { getpid() });
}
