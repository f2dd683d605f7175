//! The program that the kernel asks which socket takes up a new connection: the one listener, whatever
//! address and port the connection goes to. A listener by itself would have one port.
//!
//! It belongs to the slot's network namespace and is gone with the last descriptor of its link.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use crate::sys;

/// Has `listener` take up every TCP connection in its namespace but those to loopback addresses, which
/// go on as if there were no such program. Lasts until the link it gives is closed.
pub(super) fn steer(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let namespace = sys::namespace_of(listener)?;
    let map = sys::bpf_map_of(listener)?;
    let program = sys::bpf_load_lookup(&program(map.as_fd()))?;
    sys::bpf_link(program.as_fd(), namespace.as_fd())
}

// Fields of the kernel's struct bpf_sk_lookup, by their offset.
const FAMILY: i16 = 8;
const PROTOCOL: i16 = 12;
const LOCAL_IPV4: i16 = 40;
const LOCAL_IPV6: i16 = 44;
// Helpers by their number (linux/bpf.h).
const MAP_LOOKUP: i32 = 1;
const SK_RELEASE: i32 = 86;
const SK_ASSIGN: i32 = 124;

const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R3: u8 = 3;
const CONTEXT: u8 = 6;
const SOCKET: u8 = 7;
const FRAME: u8 = 10;

/// Jumps are counted in instructions from the next one; a wide load counts as two.
fn program(map: BorrowedFd<'_>) -> Vec<u64> {
    vec![
        move_register(CONTEXT, R1),
        load(R2, CONTEXT, PROTOCOL),
        jump_unless(R2, libc::IPPROTO_TCP, 22),
        load(R2, CONTEXT, FAMILY),
        jump_if(R2, libc::AF_INET6, 4),
        // In network order: the first byte is the lowest.
        load(R2, CONTEXT, LOCAL_IPV4),
        keep_bits(R2, 0xff),
        jump_if(R2, 127, 17),
        jump(2),
        load(R2, CONTEXT, LOCAL_IPV6),
        jump_if(R2, 0, 14),
        // The one socket of the map, as an argument by reference.
        store_zero(FRAME, -4),
        move_register(R2, FRAME),
        add(R2, -4),
        wide_load_of_map(R1, map),
        0,
        call(MAP_LOOKUP),
        jump_if(R0, 0, 7),
        move_register(SOCKET, R0),
        move_register(R1, CONTEXT),
        move_register(R2, SOCKET),
        set(R3, 0),
        call(SK_ASSIGN),
        move_register(R1, SOCKET),
        call(SK_RELEASE),
        // SK_PASS: on to the socket that was assigned, else to the ordinary lookup.
        set(R0, 1),
        exit(),
    ]
}

/// A `struct bpf_insn`.
fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> u64 {
    u64::from(code)
        | u64::from(to | (from << 4)) << 8
        | u64::from(offset as u16) << 16
        | u64::from(value as u32) << 32
}

fn move_register(to: u8, from: u8) -> u64 {
    instruction(0xbf, to, from, 0, 0)
}

fn load(to: u8, from: u8, offset: i16) -> u64 {
    instruction(0x61, to, from, offset, 0)
}

fn store_zero(at: u8, offset: i16) -> u64 {
    instruction(0x62, at, 0, offset, 0)
}

fn wide_load_of_map(to: u8, map: BorrowedFd<'_>) -> u64 {
    const VALUE_IS_A_MAP: u8 = 1;
    instruction(0x18, to, VALUE_IS_A_MAP, 0, std::os::fd::AsRawFd::as_raw_fd(&map))
}

fn set(to: u8, value: i32) -> u64 {
    instruction(0xb7, to, 0, 0, value)
}

fn add(to: u8, value: i32) -> u64 {
    instruction(0x07, to, 0, 0, value)
}

fn keep_bits(of: u8, mask: i32) -> u64 {
    instruction(0x57, of, 0, 0, mask)
}

fn jump(over: i16) -> u64 {
    instruction(0x05, 0, 0, over, 0)
}

fn jump_if(register: u8, value: i32, over: i16) -> u64 {
    instruction(0x15, register, 0, over, value)
}

fn jump_unless(register: u8, value: i32, over: i16) -> u64 {
    instruction(0x55, register, 0, over, value)
}

fn call(helper: i32) -> u64 {
    instruction(0x85, 0, 0, 0, helper)
}

fn exit() -> u64 {
    instruction(0x95, 0, 0, 0, 0)
}
