//! Which system calls a run may make. An allow-list; what is not named is refused.
//!
//! Three answers: EPERM for what an honest program may try and can live without, ENOSYS for what
//! libraries probe and replace, and death for what no honest program does. Paths are invisible to a
//! filter: that no host file can be named is the sealed root's work.

use std::sync::LazyLock;

use libc::*;

use super::emit::{Action, Arg, emit};
use crate::image::Profile;

/// The descriptor a program is executed from; the only one `execveat` accepts.
pub(crate) const LAUNCH_FD: i32 = 100;

/// The filter of a profile, built once per process.
pub(crate) fn filter_for(profile: Profile) -> &'static [sock_filter] {
    static FUNCTION: LazyLock<Vec<sock_filter>> = LazyLock::new(|| build(Profile::Function));
    static NETWORKED: LazyLock<Vec<sock_filter>> = LazyLock::new(|| build(Profile::Networked));
    static BUILD: LazyLock<Vec<sock_filter>> = LazyLock::new(|| build(Profile::Build));
    match profile {
        Profile::Function => &FUNCTION,
        Profile::Networked => &NETWORKED,
        Profile::Build => &BUILD,
    }
}

fn build(profile: Profile) -> Vec<sock_filter> {
    let no_such_call = Action::Refuse(ENOSYS as u16);
    emit(&rows(profile), Action::Refuse(EPERM as u16), no_such_call)
}

/// Every listed call with its action.
fn rows(profile: Profile) -> Vec<(u32, Action)> {
    let mut rows = Vec::new();
    let mut add = |calls: &[c_long], action: Action| {
        rows.extend(calls.iter().map(|call| (*call as u32, action)));
    };
    add(ALLOWED, Action::Allow);
    add(FATAL, Action::Kill);
    add(ABSENT, Action::Refuse(ENOSYS as u16));
    add(&[SYS_mmap], Action::AllowIf(ORDINARY_PAGES));
    add(&[SYS_clone], Action::AllowIf(CLONE_WITHOUT_NAMESPACES));
    add(&[SYS_socketpair], Action::AllowIf(LOCAL_SOCKETPAIR));
    add(&[SYS_ioctl], Action::AllowIf(HARMLESS_IOCTLS));
    add(&[SYS_prctl], Action::AllowIf(HARMLESS_PRCTLS));
    add(&[SYS_arch_prctl], Action::AllowIf(THREAD_POINTER));
    add(&[SYS_personality], Action::AllowIf(PERSONALITY_QUERY));
    add(&[SYS_prlimit64], Action::AllowIf(OWN_LIMITS));
    match profile {
        Profile::Function | Profile::Networked => {
            add(&[SYS_execveat], Action::AllowIf(LAUNCH));
            add(&[SYS_fcntl], Action::AllowIf(FCNTL_WITHOUT_LOCKS));
        }
        Profile::Build => add(BUILD_ALLOWED, Action::Allow),
    }
    match profile {
        Profile::Networked => {
            add(&[SYS_socket], Action::AllowIf(TCP_AND_UDP));
            add(&[SYS_connect, SYS_bind], Action::Allow);
            add(&[SYS_setsockopt], Action::AllowIf(PLAIN_SOCKET_OPTIONS));
            // What Go tries between two connections, and replaces when told that it cannot be.
            add(&[SYS_splice], Action::Refuse(EINVAL as u16));
        }
        Profile::Function | Profile::Build => add(&[SYS_setsockopt], Action::Allow),
    }
    rows
}

const fn arg(index: u32, mask: u64, value: u64) -> Arg {
    Arg { index, mask, value }
}

/// An `int` argument: the kernel ignores the upper half of the register.
const fn int(index: u32, value: u64) -> Arg {
    arg(index, 0xffff_ffff, value & 0xffff_ffff)
}

const NAMESPACE_FLAGS: u64 = (CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET) as u64
    | 0x80; // CLONE_NEWTIME

/// Huge pages come from a pool of the host's that no memory limit counts.
const ORDINARY_PAGES: &[&[Arg]] = &[&[arg(3, MAP_HUGETLB as u64, 0)]];
const CLONE_WITHOUT_NAMESPACES: &[&[Arg]] = &[&[arg(0, NAMESPACE_FLAGS, 0)]];
const LOCAL_SOCKETPAIR: &[&[Arg]] = &[&[int(0, AF_UNIX as u64)]];
const LAUNCH: &[&[Arg]] = &[&[int(0, LAUNCH_FD as u64), int(4, AT_EMPTY_PATH as u64)]];
const PERSONALITY_QUERY: &[&[Arg]] = &[&[int(0, u64::MAX)]];
const OWN_LIMITS: &[&[Arg]] = &[&[int(0, 0)]];
/// ARCH_SET_FS and ARCH_GET_FS, from asm/prctl.h: what a C library needs for thread-local storage.
const THREAD_POINTER: &[&[Arg]] = &[&[int(0, 0x1002)], &[int(0, 0x1003)]];

/// AF_INET is 2 and AF_INET6 is 10: they differ in one bit. Of the type, the flags are left out.
const IP: Arg = arg(0, 0xffff_fff7, AF_INET as u64);
const STREAM: Arg = arg(1, 0xf, SOCK_STREAM as u64);
const DATAGRAM: Arg = arg(1, 0xf, SOCK_DGRAM as u64);
const TCP_AND_UDP: &[&[Arg]] = &[
    &[IP, STREAM, int(2, 0)],
    &[IP, STREAM, int(2, IPPROTO_TCP as u64)],
    &[IP, DATAGRAM, int(2, 0)],
    &[IP, DATAGRAM, int(2, IPPROTO_UDP as u64)],
];

const fn option(level: i32, name: i32) -> [Arg; 2] {
    [int(1, level as u64), int(2, name as u64)]
}

/// What the runtimes' network libraries set. Options reach far into the kernel; no other is needed.
const PLAIN_SOCKET_OPTIONS: &[&[Arg]] = &[
    &option(SOL_SOCKET, SO_REUSEADDR),
    &option(SOL_SOCKET, SO_BROADCAST),
    &option(SOL_SOCKET, SO_SNDBUF),
    &option(SOL_SOCKET, SO_RCVBUF),
    &option(SOL_SOCKET, SO_KEEPALIVE),
    &option(SOL_SOCKET, SO_LINGER),
    &option(SOL_SOCKET, SO_RCVTIMEO),
    &option(SOL_SOCKET, SO_SNDTIMEO),
    &option(IPPROTO_TCP, TCP_NODELAY),
    &option(IPPROTO_TCP, TCP_KEEPIDLE),
    &option(IPPROTO_TCP, TCP_KEEPINTVL),
    &option(IPPROTO_TCP, TCP_KEEPCNT),
    &option(IPPROTO_TCP, TCP_USER_TIMEOUT),
    &option(IPPROTO_IPV6, IPV6_V6ONLY),
];

const HARMLESS_IOCTLS: &[&[Arg]] = &[
    &[int(1, FIONREAD)],
    &[int(1, FIONBIO)],
    &[int(1, FIOCLEX)],
    &[int(1, FIONCLEX)],
    &[int(1, TCGETS)],
    &[int(1, TIOCGWINSZ)],
];

const HARMLESS_PRCTLS: &[&[Arg]] = &[
    &[int(0, PR_SET_NAME as u64)],
    &[int(0, PR_GET_NAME as u64)],
    &[int(0, PR_SET_VMA as u64)],
    &[int(0, PR_GET_NO_NEW_PRIVS as u64)],
    &[int(0, PR_SET_PDEATHSIG as u64)],
    &[int(0, PR_GET_PDEATHSIG as u64)],
    &[int(0, PR_GET_DUMPABLE as u64)],
];

/// No record locks and no leases: device nodes and the root directory are inodes that every run
/// shares, and a lock on one would be a signal from tenant to tenant. `flock` is refused likewise.
const FCNTL_WITHOUT_LOCKS: &[&[Arg]] = &[
    &[int(1, F_DUPFD as u64)],
    &[int(1, F_DUPFD_CLOEXEC as u64)],
    &[int(1, F_GETFD as u64)],
    &[int(1, F_SETFD as u64)],
    &[int(1, F_GETFL as u64)],
    &[int(1, F_SETFL as u64)],
    &[int(1, F_GETPIPE_SZ as u64)],
    &[int(1, F_GET_SEALS as u64)],
];

/// What Go and Rust programs, their runtimes and static C libraries use. Numbers that libc does not
/// name yet are from the kernel's syscall_64.tbl.
#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    // Memory
    SYS_brk, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mincore, SYS_msync,
    SYS_mlock, SYS_munlock, SYS_membarrier,
    // Reading and writing
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv, SYS_pwritev,
    SYS_preadv2, SYS_pwritev2, SYS_lseek, SYS_sendfile, SYS_copy_file_range, SYS_close,
    SYS_close_range, SYS_dup, SYS_dup2, SYS_dup3, SYS_pipe, SYS_pipe2, SYS_fsync, SYS_fdatasync,
    SYS_fallocate, SYS_ftruncate, SYS_truncate, SYS_fadvise64,
    // Files
    SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_stat, SYS_fstat, SYS_lstat, SYS_newfstatat,
    SYS_statx, SYS_statfs, SYS_fstatfs, SYS_access, SYS_faccessat, SYS_faccessat2, SYS_getdents,
    SYS_getdents64, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_mkdir, SYS_mkdirat, SYS_rmdir,
    SYS_unlink, SYS_unlinkat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat,
    SYS_symlink, SYS_symlinkat, SYS_readlink, SYS_readlinkat, SYS_chmod, SYS_fchmod, SYS_fchmodat,
    452 /* fchmodat2 */, SYS_utimensat, SYS_utimes, SYS_umask,
    // Waiting
    SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_epoll_create, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd, SYS_eventfd2,
    SYS_signalfd, SYS_signalfd4, SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime,
    // Time
    SYS_gettimeofday, SYS_time, SYS_times, SYS_clock_gettime, SYS_clock_getres,
    SYS_clock_nanosleep, SYS_nanosleep, SYS_getitimer, SYS_setitimer, SYS_alarm, SYS_pause,
    SYS_timer_create, SYS_timer_settime, SYS_timer_gettime, SYS_timer_getoverrun, SYS_timer_delete,
    // Threads and processes
    SYS_futex, SYS_futex_waitv, 454 /* futex_wake */, 455 /* futex_wait */, 456 /* futex_requeue */,
    SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq, SYS_fork, SYS_vfork,
    SYS_wait4, SYS_waitid, SYS_exit, SYS_exit_group, SYS_sched_yield, SYS_sched_getaffinity,
    SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_get_priority_max,
    SYS_sched_get_priority_min, SYS_getcpu, SYS_getpriority, SYS_getrlimit, SYS_setrlimit,
    SYS_getrusage, SYS_restart_syscall,
    // Signals
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    SYS_rt_sigqueueinfo, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_kill, SYS_tkill, SYS_tgkill,
    // Identity
    SYS_getpid, SYS_getppid, SYS_gettid, SYS_getpgrp, SYS_getpgid, SYS_setpgid, SYS_getsid,
    SYS_setsid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid,
    SYS_getgroups, SYS_uname, SYS_sysinfo, SYS_getrandom,
    // On socket pairs, the only sockets there are without a network
    SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg, SYS_shutdown,
    SYS_getsockname, SYS_getpeername, SYS_getsockopt,
];

/// Compilers, linkers and build tools run programs, lock files and copy attributes on top.
#[rustfmt::skip]
const BUILD_ALLOWED: &[c_long] = &[
    SYS_execve, SYS_execveat, SYS_fcntl, SYS_flock, SYS_memfd_create, SYS_chown, SYS_fchown,
    SYS_lchown, SYS_fchownat, SYS_utime, SYS_mknod, SYS_mknodat, SYS_pidfd_open,
    SYS_pidfd_send_signal, SYS_sched_setaffinity, SYS_setpriority, SYS_splice, SYS_tee, SYS_sync,
    SYS_syncfs, SYS_sync_file_range, SYS_readahead, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr,
    SYS_listxattr, SYS_llistxattr, SYS_flistxattr, SYS_inotify_init1, SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
];

/// Probed by libraries that fall back when told so. The arguments of clone3 lie in memory, where a
/// filter cannot see a namespace flag.
const ABSENT: &[c_long] =
    &[SYS_clone3, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register];

/// No honest function makes these; whoever does is told so by name.
#[rustfmt::skip]
const FATAL: &[c_long] = &[
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kexec_load, SYS_kexec_file_load,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_bpf, SYS_perf_event_open,
    SYS_add_key, SYS_request_key, SYS_keyctl, SYS_mount, SYS_umount2, SYS_open_tree,
    SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr,
    467 /* open_tree_attr */, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_userfaultfd,
    SYS_open_by_handle_at, SYS_iopl, SYS_ioperm, SYS_reboot, SYS_swapon, SYS_swapoff,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_call_is_listed_once() {
        for profile in [Profile::Function, Profile::Networked, Profile::Build] {
            let mut seen = HashSet::new();
            for (number, action) in rows(profile) {
                assert!(seen.insert(number), "call {number} is listed again as {action:?}");
            }
        }
    }

    /// Installing costs time in proportion to the length, at every launch.
    #[test]
    fn the_filters_stay_short() {
        assert!(filter_for(Profile::Function).len() < 240);
        assert!(filter_for(Profile::Build).len() < 240);
        assert!(filter_for(Profile::Networked).len() < 340);
    }

    #[test]
    fn the_program_decides_as_the_table_says() {
        for profile in [Profile::Function, Profile::Networked, Profile::Build] {
            let rows = rows(profile);
            let highest = rows.iter().map(|(number, _)| *number).max().unwrap_or(0);
            for number in 0..highest + 100 {
                let row = rows.iter().find(|(listed, _)| *listed == number);
                let expected = match row.map(|(_, action)| *action) {
                    Some(action) => action,
                    None if number > highest => Action::Refuse(ENOSYS as u16),
                    None => Action::Refuse(EPERM as u16),
                };
                check_by_running(filter_for(profile), number, expected);
            }
        }
    }

    fn check_by_running(filter: &[sock_filter], number: u32, expected: Action) {
        let no_args = decide(filter, number, [u64::MAX; 6]);
        let refused = SECCOMP_RET_ERRNO | EPERM as u32;
        match expected {
            Action::Allow => assert_eq!(no_args, SECCOMP_RET_ALLOW, "{number}"),
            Action::Refuse(errno) => assert_eq!(no_args, SECCOMP_RET_ERRNO | u32::from(errno)),
            Action::Kill => assert_eq!(no_args, SECCOMP_RET_KILL_PROCESS, "{number}"),
            Action::AllowIf(alternatives) => {
                for all in alternatives {
                    let mut args = [0; 6];
                    all.iter().for_each(|arg| args[arg.index as usize] = arg.value);
                    assert_eq!(decide(filter, number, args), SECCOMP_RET_ALLOW, "{number}");
                    // Bits outside the mask change nothing, one inside changes the answer.
                    let Arg { index, mask, .. } = all[0];
                    args[index as usize] |= !mask;
                    assert_eq!(decide(filter, number, args), SECCOMP_RET_ALLOW, "{number}");
                    args[index as usize] ^= 1 << (63 - mask.leading_zeros());
                    assert_eq!(decide(filter, number, args), refused, "{number}");
                }
            }
        }
    }

    #[test]
    fn other_architectures_and_the_x32_interface_are_fatal() {
        let filter = filter_for(Profile::Function);
        let getpid = SYS_getpid as u32;
        assert_eq!(run_bpf(filter, getpid, 0x4000_0003, [0; 6]), SECCOMP_RET_KILL_PROCESS);
        assert_eq!(decide(filter, getpid | 0x4000_0000, [0; 6]), SECCOMP_RET_KILL_PROCESS);
        assert_eq!(decide(filter, getpid, [0; 6]), SECCOMP_RET_ALLOW);
    }

    fn decide(filter: &[sock_filter], number: u32, args: [u64; 6]) -> u32 {
        run_bpf(filter, number, 0xC000_003E, args)
    }

    /// The few instructions the emitter uses, as the kernel would run them.
    fn run_bpf(filter: &[sock_filter], number: u32, arch: u32, args: [u64; 6]) -> u32 {
        let word = |offset: u32| match offset {
            0 => number,
            4 => arch,
            _ => {
                let (index, high) = ((offset - 16) / 8, (offset - 16) % 8 == 4);
                (args[index as usize] >> if high { 32 } else { 0 }) as u32
            }
        };
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = filter[at];
            let jump = |yes: bool| 1 + usize::from(if yes { step.jt } else { step.jf });
            let code = u32::from(step.code);
            at += match code {
                _ if code == BPF_LD | BPF_W | BPF_ABS => {
                    accumulator = word(step.k);
                    1
                }
                _ if code == BPF_ALU | BPF_AND | BPF_K => {
                    accumulator &= step.k;
                    1
                }
                _ if code == BPF_JMP | BPF_JEQ | BPF_K => jump(accumulator == step.k),
                _ if code == BPF_JMP | BPF_JGE | BPF_K => jump(accumulator >= step.k),
                _ if code == BPF_JMP | BPF_JA => 1 + step.k as usize,
                _ if code == BPF_RET | BPF_K => return step.k,
                _ => panic!("instruction {code:#x} is not emitted"),
            };
        }
    }
}
