//! One tenant leaves something, another looks for it.

use std::{fs, path::Path};

use crate::sys::*;

const PLACES: &[&str] = &[
    "/tmp/secret",
    "/tmp/.secret",
    "/dev/secret",
    "/dev/shm/secret",
    "/secret",
    "/var/tmp/secret",
    "/run/secret",
];

pub fn leave_secret(args: &[String]) {
    for place in PLACES {
        let _ = fs::write(place, &args[0]);
    }
    for (name, number) in [("shm", 29), ("sem", 64), ("msg", 68)] {
        let made = call(number, &[0x5ec4e7, 4096, 0o1666]);
        println!("{name}={}", if made == -1 { "refused" } else { "made" });
    }
    call(170, &[text(b"secret\0"), 6]);
    call(95, &[0o777]);
    call(141, &[0, 0, 5]);
    // A daemon that would hold things open.
    spawn(|| {
        unsafe { setsid() };
        sleep_forever()
    });
}

/// Prints whatever is not as a first program would find it.
pub fn find_secret(_: &[String]) {
    for place in PLACES.iter().filter(|place| Path::new(place).exists()) {
        println!("found {place}");
    }
    if fs::read_dir("/tmp").unwrap().next().is_some() {
        println!("found something in /tmp");
    }
    let mut name = [0_u8; 390];
    call(63, &[name.as_mut_ptr() as usize]);
    if &name[65..70] != b"slot\0" {
        println!("found another host name");
    }
    let umask = call(95, &[0]);
    if umask != 0o022 {
        println!("found umask {umask:o}");
    }
    // The call answers 20 - nice.
    let priority = call(140, &[0, 0]);
    if priority != 20 {
        println!("found priority {priority}");
    }
    let own = unsafe { getpid() };
    if own != 2 {
        println!("found pid {own}");
    }
    for pid in 3..1000 {
        if unsafe { kill(pid, 0) } == 0 {
            println!("found process {pid}");
        }
    }
    for number in [29, 64, 68] {
        if call(number, &[0x5ec4e7, 4096, 0]) != -1 {
            println!("found ipc object by call {number}");
        }
    }
}

/// Locks on inodes that every run shares would be a telegraph.
pub fn hold_locks(_: &[String]) {
    for path in [text(b"/dev/null\0"), text(b"/\0")] {
        let fd = call(2, &[path, 0]) as usize;
        attempt_call("flock", 73, &[fd, 2 | 4]);
        let whole_file_read_lock = [0_u64; 4];
        attempt_call("posix-lock", 72, &[fd, 6, whole_file_read_lock.as_ptr() as usize]);
        attempt_call("open-file-lock", 72, &[fd, 37, whole_file_read_lock.as_ptr() as usize]);
        attempt_call("lease", 72, &[fd, 1024, 0]);
        attempt_call("notify", 72, &[fd, 1026, 1]);
    }
}
