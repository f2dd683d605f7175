//! Attacks on and through the file system.

use std::{
    fs::{self, File},
    io::Write,
    os::{fd::AsRawFd, unix::fs::symlink},
};

use crate::sys::*;

pub fn fill_disk(_: &[String]) {
    // Several files, so that no single one meets the limit on file size.
    for number in 0.. {
        let mut file = File::create(format!("/tmp/{number}")).unwrap();
        for _ in 0..4 {
            if let Err(error) = file.write_all(&[1; 1 << 20]) {
                println!("{}", error.raw_os_error().unwrap());
                std::process::exit(1);
            }
        }
    }
}

pub fn fill_inodes(_: &[String]) {
    for number in 0.. {
        if let Err(error) = File::create(format!("/tmp/{number}")) {
            println!("{number} {}", error.raw_os_error().unwrap());
            std::process::exit(1);
        }
    }
}

pub fn deep_directories(_: &[String]) {
    let mut depth = 0;
    while fs::create_dir("d").is_ok() && std::env::set_current_dir("d").is_ok() {
        depth += 1;
    }
    println!("{depth}");
}

pub fn open_descriptors(_: &[String]) {
    let mut open = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => open.push(file),
            Err(error) => break error,
        }
    };
    println!("{} {}", open.len(), error.raw_os_error().unwrap());
}

pub fn sparse(_: &[String]) {
    unsafe { signal(25, IGNORE) };
    let file = File::create("/tmp/sparse").unwrap();
    let result = file.set_len(10 << 40).map_err(|error| error.raw_os_error().unwrap());
    println!("{result:?}");
    let (all, at_once) = (0, 10 << 40);
    let allocated = call(285, &[file.as_raw_fd() as usize, all, 0, at_once]);
    println!("{allocated} {}", errno());
}

/// Not ignoring the signal.
pub fn big_file(_: &[String]) {
    let mut file = File::create("/tmp/big").unwrap();
    loop {
        file.write_all(&[1; 1 << 20]).unwrap();
    }
}

pub fn look_for_host_files(args: &[String]) {
    for path in args {
        match fs::symlink_metadata(path) {
            Ok(_) => println!("{path}=found"),
            Err(error) => println!("{path}={}", error.raw_os_error().unwrap()),
        }
    }
}

pub fn look_for_descriptors(_: &[String]) {
    for fd in 3..65_536 {
        if call(72, &[fd, 1]) != -1 {
            println!("descriptor {fd} is open");
        }
    }
    for fd in 0..3_usize {
        let up = call(257, &[fd, text(b"../../..\0"), 0x10000]);
        println!("{fd}={}", if up == -1 { "closed" } else { "open" });
    }
}

pub fn walk_up(_: &[String]) {
    for _ in 0..64 {
        std::env::set_current_dir("..").unwrap();
    }
    list_root(&[]);
    attempt_call("write", 85, &[text(b"/new\0"), 0o600]);
    attempt_call("mkdir", 83, &[text(b"/new\0"), 0o700]);
}

pub fn list_root(args: &[String]) {
    let directory = args.first().map_or(".", String::as_str);
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    println!("{names:?}");
}

/// Things that have fooled privileged code which touched them afterwards.
pub fn leave_traps(_: &[String]) {
    symlink("/etc/shadow", "/tmp/out").unwrap();
    symlink("/tmp/loop", "/tmp/loop").unwrap();
    assert_eq!(call(133, &[text(b"/tmp/fifo\0"), 0o010644]), -1);
    fs::create_dir("/tmp/closed").unwrap();
    File::create("/tmp/closed/file").unwrap();
    call(90, &[text(b"/tmp/closed\0"), 0]);
    fs::write(format!("/tmp/{}", "n".repeat(255)), "x").unwrap();
}

/// What was written cannot be run, however it is named.
pub fn run_written_program(_: &[String]) {
    fs::write("/tmp/program", [0x7f, b'E', b'L', b'F', 2, 1, 1, 0]).unwrap();
    call(90, &[text(b"/tmp/program\0"), 0o755]);
    let file = File::open("/tmp/program").unwrap();
    let fd = file.as_raw_fd() as usize;
    attempt_call("execve", 59, &[text(b"/tmp/program\0"), 0, 0]);
    call(90, &[text(b"/tmp/program\0"), 0o6755]);
    attempt_call("execve-setuid", 59, &[text(b"/tmp/program\0"), 0, 0]);
    attempt_call("execveat", 322, &[fd, text(b"\0"), 0, 0, 0x1000]);
    attempt("execveat-launch-number", || {
        call(33, &[fd, 100]);
        call(322, &[100, text(b"\0"), 0, 0, 0x1000])
    });
    attempt_call("execveat-stdin", 322, &[0, text(b"\0"), 0, 0, 0x1000]);
    attempt_call("memfd", 319, &[text(b"x\0"), 0]);
    attempt_call("map-executable", 9, &[0, 4096, 5, 2, fd, 0]);
}
