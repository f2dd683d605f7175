//! Where a program for the builder's own libc begins. The C compiler's start files would say the
//! same; with this one, no C compiler has to be installed.

#![no_std]

core::arch::global_asm!(
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "xor ebp, ebp",
    // __libc_start_main(main, argc, argv, init, fini, rtld_fini, stack_end); since glibc 2.34 it
    // runs initialisers by itself when init and fini are null.
    "mov r9, rdx",
    "pop rsi",
    "mov rdx, rsp",
    "and rsp, -16",
    "push rax",
    "push rsp",
    "xor r8d, r8d",
    "xor ecx, ecx",
    "mov rdi, [rip + main@GOTPCREL]",
    "call [rip + __libc_start_main@GOTPCREL]",
    "hlt",
);
