//! What an honest program does, to see that it still can.

use std::{
    io::Read,
    thread,
    time::{Duration, Instant},
};

pub fn echo(args: &[String]) {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    eprintln!("args {args:?} env {:?}", std::env::vars().collect::<Vec<_>>());
    print!("{text}");
}

/// Threads, timers, files, a heap of some size, a caught panic, a child process.
pub fn work(_: &[String]) {
    let threads: Vec<_> =
        (0..4_u64).map(|n| thread::spawn(move || (0..n * 1000).sum::<u64>())).collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    let started = Instant::now();
    thread::sleep(Duration::from_millis(2));
    assert!(started.elapsed() >= Duration::from_millis(2));
    std::fs::create_dir("/tmp/a").unwrap();
    std::fs::write("/tmp/a/b", vec![7; 100_000]).unwrap();
    std::fs::rename("/tmp/a/b", "/tmp/c").unwrap();
    assert_eq!(std::fs::copy("/tmp/c", "/tmp/d").unwrap(), 100_000);
    assert_eq!(std::fs::read_dir("/tmp").unwrap().count(), 3);
    let heap: Vec<Vec<u8>> = (0..24).map(|n| vec![n; 1 << 20]).collect();
    let child = crate::sys::spawn(|| ()).unwrap();
    assert_eq!(crate::sys::wait(child), 0);
    assert!(thread::available_parallelism().is_ok());
    println!("{sum} {}", heap.len());
}
