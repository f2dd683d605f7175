//! What a build may leave where its result is expected.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    thread,
    time::Duration,
};

use crate::sys::*;

pub fn copy_file(args: &[String]) {
    fs::copy(&args[0], &args[1]).unwrap();
}

pub fn write_file(args: &[String]) {
    match fs::write(&args[0], "written") {
        Ok(()) => println!("written"),
        Err(error) => println!("{}", error.raw_os_error().unwrap()),
    }
}

pub fn leave(args: &[String]) {
    fs::write("file", "x").unwrap();
    match args[0].as_str() {
        "file" => fs::rename("file", "out").unwrap(),
        "symlink" => symlink("file", "out").unwrap(),
        "hard-link" => fs::hard_link("file", "out").unwrap(),
        "fifo" => assert_eq!(call(133, &[text(b"out\0"), 0o010644]), 0),
        "directory" => fs::create_dir("out").unwrap(),
        "sparse" => File::create("out").unwrap().set_len(1001).unwrap(),
        "device-link" => symlink("/dev/zero", "out").unwrap(),
        "linked-directory" => symlink("/work", "linked").unwrap(),
        _ => {}
    }
}

/// A daemon keeps a lease on the result: as long as it lives, nobody else can open the file without
/// its knowledge, and an open that will not wait fails.
pub fn hold_lease(_: &[String]) {
    const READ_WRITE: usize = 2;
    const SET_LEASE: usize = 1024;
    const FOR_WRITING: usize = 1;
    fs::write("out", "honest").unwrap();
    spawn(|| {
        unsafe { setsid() };
        (1..32).for_each(|number| {
            unsafe { signal(number, IGNORE) };
        });
        let file = call(2, &[text(b"out\0"), READ_WRITE]) as usize;
        if call(72, &[file, SET_LEASE, FOR_WRITING]) == 0 {
            fs::write("held", "").unwrap();
        }
        sleep_forever()
    });
    while fs::metadata("held").is_err() {
        thread::sleep(Duration::from_millis(1));
    }
    println!("held");
}

/// A daemon keeps writing what its parent has left.
pub fn rewrite_in_background(_: &[String]) {
    fs::write("out", "0").unwrap();
    spawn(|| {
        unsafe { setsid() };
        for number in 0_u64.. {
            let _ = fs::write("out", number.to_string());
        }
    });
    thread::sleep(Duration::from_millis(20));
}
