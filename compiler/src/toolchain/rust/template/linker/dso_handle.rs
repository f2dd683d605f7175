//! The address by which libc tells one loaded object from another.

#![no_std]

core::arch::global_asm!(
    ".hidden __dso_handle",
    ".globl __dso_handle",
    ".data",
    ".balign 8",
    "__dso_handle:",
    ".quad __dso_handle",
);
