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
    // Writable and never written: the host's overcommit policy decides, and nobody is killed.
    let private_anonymous = 0x2 | 0x20;
    unsafe { mmap(null_mut(), TEBIBYTE, 3, private_anonymous, -1, 0) };
    println!("alive");
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
    // Pages of the host's own pool, which no memory limit counts.
    let (private_anonymous, huge) = (0x2 | 0x20, 0x40000);
    attempt_call("huge-pages", 9, &[0, 2 << 20, 3, private_anonymous | huge, usize::MAX, 0]);
}

/// Pipe and socket buffers are memory too.
pub fn fill_pipes(_: &[String]) {
    fill_pairs(|pair| call(293, &[pair, 0x800]))
}

pub fn fill_socket_pairs(_: &[String]) {
    let (unix, stream, nonblocking) = (1, 1, 0x800);
    fill_pairs(|pair| call(53, &[unix, stream | nonblocking, 0, pair]))
}

fn fill_pairs(make: impl Fn(usize) -> i64) {
    let mut filled = 0_u64;
    let junk = [0_u8; 4096];
    loop {
        let mut pair = [0 as c_int; 2];
        if make(pair.as_mut_ptr() as usize) != 0 {
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
