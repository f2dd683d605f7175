//! Attacks on processor time.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use crate::sys::*;

fn spin_forever() -> ! {
    loop {
        black_box(0);
    }
}

pub fn spin(_: &[String]) {
    spin_forever()
}

pub fn spin_in_threads(_: &[String]) {
    for _ in 0..8 {
        thread::spawn(|| spin_forever());
    }
    spin_forever()
}

/// No single process uses much: only a count over the whole tree sees it.
pub fn spin_in_children(_: &[String]) {
    loop {
        let child = spawn(|| {
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(20) {}
        });
        wait(child.unwrap());
    }
}

pub fn raise_priority(_: &[String]) {
    attempt_call("nice", 141, &[0, 0, -20_isize as usize]);
    let realtime_priority = 1_i32;
    attempt_call("realtime", 144, &[0, 1, &raw const realtime_priority as usize]);
    attempt_call("io-priority", 251, &[1, 0, 1 << 13]);
    let all = [u64::MAX; 16];
    attempt_call("affinity", 203, &[0, size_of_val(&all), all.as_ptr() as usize]);
}
