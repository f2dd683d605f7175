//! System calls that must not work, and how they must not.

use std::arch::asm;

use crate::sys::*;

const NEW_USER: usize = 0x1000_0000;
const NEW_NET: usize = 0x4000_0000;

pub fn try_forbidden(_: &[String]) {
    let root = text(b"/\0");
    attempt_call("clone-user-namespace", 56, &[NEW_USER | 17]);
    attempt_call("clone-network-namespace", 56, &[NEW_NET | 17]);
    attempt_call("clone3", 435, &[0, 88]);
    attempt_call("io_uring_setup", 425, &[8, 0]);
    attempt_call("setuid", 105, &[0]);
    attempt_call("setgid", 106, &[0]);
    attempt_call("setgroups", 116, &[0, 0]);
    attempt_call("setresuid", 117, &[0, 0, 0]);
    attempt_call("capset", 126, &[0, 0]);
    attempt_call("mknod-block", 133, &[text(b"/tmp/disk\0"), 0o060600, 0xfe00]);
    attempt_call("mknod-char", 133, &[text(b"/tmp/memory\0"), 0o020600, 0x0101]);
    attempt_call("chown", 92, &[text(b"/tmp\0"), 0, 0]);
    attempt_call("seccomp", 317, &[1, 0, 0]);
    attempt_call("prctl-dumpable", 157, &[4, 1]);
    attempt_call("prctl-seccomp", 157, &[22, 2, 0]);
    attempt_call("prctl-securebits", 157, &[28, 0]);
    attempt_call("arch_prctl-gs", 158, &[0x1001, 0]);
    attempt_call("modify_ldt", 154, &[0, 0, 0]);
    attempt_call("syslog", 103, &[3, 0, 0]);
    attempt_call("sethostname", 170, &[text(b"x\0"), 1]);
    attempt_call("settimeofday", 164, &[0, 0]);
    attempt_call("clock_settime", 227, &[0, 0]);
    attempt_call("adjtimex", 159, &[0]);
    attempt_call("quotactl", 179, &[0, 0, 0, 0]);
    attempt_call("acct", 163, &[0]);
    attempt_call("inotify_init1", 294, &[0]);
    attempt_call("fanotify_init", 300, &[0, 0]);
    attempt_call("name_to_handle_at", 303, &[0, root, 0, 0, 0]);
    attempt_call("pidfd_open-init", 434, &[1, 0]);
    attempt_call("pidfd_getfd", 438, &[0, 0, 0]);
    attempt_call("vmsplice", 278, &[1, 0, 0, 0]);
    attempt_call("personality", 135, &[0x0040_0000]);
    attempt_call("steal-input", 16, &[0, 0x5412, 0]);
    attempt_call("linux-console", 16, &[0, 0x541c, 0]);
    attempt_call("kcmp", 312, &[1, 2, 0, 0, 0]);
    attempt_call("setpriority", 141, &[0, 0, 0]);
    attempt_call("number-far-above", 1000, &[]);
    for (number, name) in [(29, "shmget"), (64, "semget"), (68, "msgget"), (240, "mq_open")] {
        attempt_call(name, number, &[1, 1, 0o1666]);
    }
}

/// Each in a child of its own: the answer is death.
pub fn try_fatal(_: &[String]) {
    let calls = [
        (101, "ptrace"),
        (310, "process_vm_readv"),
        (311, "process_vm_writev"),
        (246, "kexec_load"),
        (320, "kexec_file_load"),
        (175, "init_module"),
        (313, "finit_module"),
        (176, "delete_module"),
        (321, "bpf"),
        (298, "perf_event_open"),
        (248, "add_key"),
        (249, "request_key"),
        (250, "keyctl"),
        (165, "mount"),
        (166, "umount2"),
        (428, "open_tree"),
        (429, "move_mount"),
        (430, "fsopen"),
        (431, "fsconfig"),
        (432, "fsmount"),
        (433, "fspick"),
        (442, "mount_setattr"),
        (155, "pivot_root"),
        (161, "chroot"),
        (308, "setns"),
        (272, "unshare"),
        (323, "userfaultfd"),
        (304, "open_by_handle_at"),
        (172, "iopl"),
        (173, "ioperm"),
        (169, "reboot"),
        (167, "swapon"),
        (168, "swapoff"),
    ];
    for (number, name) in calls {
        attempt_call(name, number, &[]);
    }
}

/// The 32-bit entry has other numbers for the same calls: 20 is getpid there.
pub fn wrong_architecture(_: &[String]) {
    attempt("int80", || {
        let result: i64;
        unsafe { asm!("int 0x80", inlateout("rax") 20_i64 => result) };
        result
    });
}

pub fn x32(_: &[String]) {
    attempt_call("x32-getpid", 0x4000_0000 + 39, &[]);
}

/// A page of the kernel's with three old calls; the filter is asked there too.
pub fn vsyscall(_: &[String]) {
    attempt("vsyscall-time", || {
        let time: extern "C" fn(usize) -> i64 =
            unsafe { std::mem::transmute(0xffff_ffff_ff60_0400_usize) };
        time(0)
    });
}

/// In the main process.
pub fn violate(_: &[String]) {
    println!("so far");
    call(272, &[NEW_USER]);
}

pub fn reach_network(_: &[String]) {
    let (stream, dgram, raw) = (1, 2, 3);
    let families = [
        ("inet", 2, stream),
        ("inet6", 10, stream),
        ("udp", 2, dgram),
        ("raw", 2, raw),
        ("unix", 1, stream),
        ("netlink", 16, raw),
        ("packet", 17, raw),
        ("alg", 38, 5),
        ("vsock", 40, stream),
        ("xdp", 44, raw),
    ];
    for (name, family, kind) in families {
        attempt_call(name, 41, &[family, kind, 0]);
    }
    let mut pair = [0_i32; 2];
    attempt_call("unix-pair", 53, &[1, stream, 0, pair.as_mut_ptr() as usize]);
    attempt_call("vsock-pair", 53, &[40, stream, 0, pair.as_mut_ptr() as usize]);
}

pub fn raise_limits(_: &[String]) {
    let huge = [1_u64 << 40; 2];
    for (name, resource) in [("files", 7), ("processes", 6), ("file-size", 1), ("locked", 8)] {
        attempt_call(name, 160, &[resource, huge.as_ptr() as usize]);
    }
    attempt_call("of-init", 302, &[1, 7, 0, huge.as_ptr() as usize]);
}
