//! Attacks with many, stubborn, or lasting processes.

use std::{thread, time::Duration};

use crate::sys::*;

pub fn fork_bomb(_: &[String]) {
    loop {
        unsafe { fork() };
    }
}

/// Every child leaves its session and ignores what can be ignored.
pub fn stubborn_fork_bomb(_: &[String]) {
    loop {
        if unsafe { fork() } == 0 {
            unsafe { setsid() };
            (1..32).for_each(|number| {
                unsafe { signal(number, IGNORE) };
            });
        }
    }
}

pub fn thread_bomb(_: &[String]) {
    let mut started = 0;
    for _ in 0..10_000 {
        match thread::Builder::new().stack_size(16 << 10).spawn(|| sleep_forever()) {
            Ok(_) => started += 1,
            Err(_) => break,
        }
    }
    println!("{started}");
    std::process::exit(3);
}

/// Exits at once and leaves daemons that nothing but SIGKILL ends.
pub fn daemons(args: &[String]) {
    let count: usize = args[0].parse().unwrap();
    for _ in 0..count {
        spawn(|| {
            unsafe { setsid() };
            (1..32).for_each(|number| {
                unsafe { signal(number, IGNORE) };
            });
            sleep_forever()
        });
    }
    println!("left");
}

pub fn daemon_holds_output(_: &[String]) {
    println!("before");
    spawn(|| {
        unsafe { setsid() };
        thread::sleep(Duration::from_secs(3));
        println!("after");
        sleep_forever()
    });
}

/// Signals to init, to everyone, and to every number there could be.
pub fn kill_everything(_: &[String]) {
    attempt("init", || i64::from(unsafe { kill(1, SIGKILL) }));
    let mut reached = 0;
    let own = unsafe { getpid() };
    for pid in 2..40_000 {
        if pid != own && unsafe { kill(pid, 0) } == 0 {
            reached += 1;
        }
    }
    println!("reached={reached}");
    // Everyone but the caller and init: there is nobody left to ask.
    println!("everyone={}", unsafe { kill(-1, SIGKILL) });
}

pub fn sleep(_: &[String]) {
    sleep_forever()
}

pub fn ignore_signals(_: &[String]) {
    (1..32).for_each(|number| {
        unsafe { signal(number, IGNORE) };
    });
    sleep_forever()
}

pub fn stop_self(_: &[String]) {
    unsafe { kill(getpid(), 19) };
    sleep_forever()
}

/// The parent waits in the kernel for a child that is stopped.
pub fn parent_of_a_stopped_child(_: &[String]) {
    let child = spawn(|| stop_self(&[])).unwrap();
    wait(child);
}

/// Signals that are blocked stay in memory of the kernel's; timers reserve theirs ahead.
pub fn queue_signals(_: &[String]) {
    const BLOCK: usize = 0;
    const NUMBER: usize = 40;
    let set = [1_u64 << (NUMBER - 1)];
    call(14, &[BLOCK, set.as_ptr() as usize, 0, 8]);
    // struct siginfo: si_signo, si_errno, si_code (SI_QUEUE).
    let info = [NUMBER as i32, 0, -1].into_iter().chain([0; 29]).collect::<Vec<i32>>();
    let own = unsafe { getpid() } as usize;
    let mut queued = 0;
    while queued < 1_000_000 && call(129, &[own, NUMBER, info.as_ptr() as usize]) == 0 {
        queued += 1;
    }
    println!("queued={queued} errno={}", errno());
    let mut timers = 0;
    let mut id = 0_i32;
    while timers < 1_000_000 && call(222, &[1, 0, &raw mut id as usize]) == 0 {
        timers += 1;
    }
    println!("timers={timers} errno={}", errno());
}

pub fn signal_storm(_: &[String]) {
    unsafe { signal(40, IGNORE) };
    for _ in 0..200_000 {
        unsafe { kill(getpid(), 40) };
    }
    println!("survived");
}
