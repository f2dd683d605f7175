//! Attacks on memory.

use std::ptr::null_mut;

use crate::sys::*;

fn eat_all() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; 1 << 20]);
    }
}

pub fn eat(_: &[String]) {
    eat_all()
}

/// Address space is free; only memory counts.
pub fn reserve(_: &[String]) {
    const TEBIBYTE: usize = 1 << 40;
    let private_anonymous_noreserve = 0x2 | 0x20 | 0x4000;
    let reserved = unsafe { mmap(null_mut(), TEBIBYTE, 0, private_anonymous_noreserve, -1, 0) };
    println!("reserve={}", if reserved as isize == -1 { "refused" } else { "ok" });
}

/// The child is killed; main carries on as if nothing had happened.
pub fn child_eats(_: &[String]) {
    let status = wait(spawn(|| eat_all()).unwrap());
    println!("child ended with {status}");
}

pub fn lock_memory(_: &[String]) {
    let size = 1 << 20;
    let page = unsafe { mmap(null_mut(), size, 3, 0x22, -1, 0) } as usize;
    attempt_call("mlock", 149, &[page, size]);
    attempt_call("mlockall", 151, &[3]);
}

/// Pipe and socket buffers are memory too.
pub fn fill_pipes(_: &[String]) {
    let mut filled = 0_u64;
    let junk = [0_u8; 4096];
    loop {
        let mut pair = [0 as c_int; 2];
        if call(293, &[pair.as_mut_ptr() as usize, 0x800]) != 0 {
            break;
        }
        loop {
            let written = call(1, &[pair[1] as usize, junk.as_ptr() as usize, junk.len()]);
            if written <= 0 {
                break;
            }
            filled += written as u64;
        }
    }
    println!("errno={} filled={filled}", errno());
}
