//! Turns a table of per-call actions into a BPF program that finds its row by binary search.
//!
//! A linear filter of the same policy is four times as long, and installing it takes about 0.4 ms
//! more: the kernel checks and translates every instruction at each launch.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, sock_filter,
};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    /// Fails with this errno.
    Refuse(u16),
    /// Kills the process with SIGSYS.
    Kill,
    /// Allowed when any of the alternatives holds, else fails with EPERM.
    AllowIf(&'static [&'static [Arg]]),
}

/// An argument that must equal `value` in the bits of `mask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arg {
    pub(super) index: u32,
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// From asm/audit.h: EM_X86_64, 64 bit, little endian.
const AUDIT_ARCH_X86_64: u32 = 0xC000_003E;
/// Set in the number of a call made through the x32 interface.
const X32_BIT: u32 = 0x4000_0000;
/// Offsets in the kernel's struct seccomp_data.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// `rows` maps call numbers to actions; numbers without a row get `unlisted`, those above the
/// highest row `unknown`.
pub(super) fn emit(rows: &[(u32, Action)], unlisted: Action, unknown: Action) -> Vec<sock_filter> {
    let mut program = Backwards::default();
    let listed = program.search(&ranges(rows, unlisted, unknown));
    let kill = program.ret(SECCOMP_RET_KILL_PROCESS);
    program.branch(BPF_JGE, X32_BIT, kill, listed);
    let number = program.push(load(NUMBER));
    let kill = program.ret(SECCOMP_RET_KILL_PROCESS);
    program.branch(BPF_JEQ, AUDIT_ARCH_X86_64, number, kill);
    program.push(load(ARCH));
    program.finish()
}

/// Consecutive numbers of one action, by their first number; the first range starts at 0.
fn ranges(rows: &[(u32, Action)], unlisted: Action, unknown: Action) -> Vec<(u32, Action)> {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|(number, _)| *number);
    let mut ranges: Vec<(u32, Action)> = Vec::new();
    let mut push = |first: u32, action: Action| {
        if ranges.last().is_none_or(|(_, last)| *last != action) {
            ranges.push((first, action));
        }
    };
    let mut next = 0;
    for (number, action) in rows {
        if number > next {
            push(next, unlisted);
        }
        push(number, action);
        next = number + 1;
    }
    push(next, unknown);
    ranges
}

/// A program built from its end: jumps only go forward, so whatever one jumps to is there already,
/// and all paths can share the few instructions that return.
#[derive(Default)]
struct Backwards {
    reversed: Vec<sock_filter>,
    /// Where each value was last returned.
    returns: Vec<(u32, Place)>,
}

/// An instruction, by its distance from the end.
type Place = usize;

impl Backwards {
    fn finish(mut self) -> Vec<sock_filter> {
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, instruction: sock_filter) -> Place {
        self.reversed.push(instruction);
        self.reversed.len() - 1
    }

    /// An instruction within reach that returns `value`.
    fn ret(&mut self, value: u32) -> Place {
        let known = self.returns.iter().position(|(known, _)| *known == value);
        match known.map(|index| self.returns[index].1) {
            // Two more may come before the jump itself.
            Some(place) if self.reversed.len() - place < usize::from(u8::MAX) - 2 => place,
            _ => {
                let place = self.push(instruction(BPF_RET | BPF_K, value, 0, 0));
                self.returns.retain(|(known, _)| *known != value);
                self.returns.push((value, place));
                place
            }
        }
    }

    fn branch(&mut self, condition: u32, value: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.within_reach(yes), self.within_reach(no));
        let distance = |place: Place| (self.reversed.len() - place - 1) as u8;
        let (yes, no) = (distance(yes), distance(no));
        self.push(instruction(BPF_JMP | condition | BPF_K, value, yes, no))
    }

    /// Conditional jumps reach 255 instructions, the unconditional one any distance.
    fn within_reach(&mut self, place: Place) -> Place {
        let distance = self.reversed.len() - place;
        // One less, in case the other way of the same branch needs a jump too.
        if distance < usize::from(u8::MAX) {
            return place;
        }
        self.push(instruction(BPF_JMP | BPF_JA, (distance - 1) as u32, 0, 0))
    }

    /// A balanced tree of comparisons with the actions as leaves. Gives its first instruction.
    fn search(&mut self, ranges: &[(u32, Action)]) -> Place {
        if let [(_, action)] = ranges {
            return self.leaf(*action);
        }
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let above = self.search(high);
        let below = self.search(low);
        self.branch(BPF_JGE, high[0].0, above, below)
    }

    fn leaf(&mut self, action: Action) -> Place {
        match action {
            Action::Allow => self.ret(SECCOMP_RET_ALLOW),
            Action::Refuse(errno) => self.ret(SECCOMP_RET_ERRNO | u32::from(errno)),
            Action::Kill => self.ret(SECCOMP_RET_KILL_PROCESS),
            Action::AllowIf(alternatives) => {
                let refuse = self.ret(SECCOMP_RET_ERRNO | libc::EPERM as u32);
                alternatives.iter().rev().fold(refuse, |otherwise, all| self.check(all, otherwise))
            }
        }
    }

    /// Allows when every argument matches.
    fn check(&mut self, args: &[Arg], otherwise: Place) -> Place {
        let mut matched = self.ret(SECCOMP_RET_ALLOW);
        for arg in args.iter().rev() {
            for half in [1, 0] {
                let shift = 32 * half;
                let (mask, value) = ((arg.mask >> shift) as u32, (arg.value >> shift) as u32);
                if mask != 0 {
                    let word = load(ARGS + 8 * arg.index + 4 * half);
                    matched = self.compare(word, mask, value, matched, otherwise);
                }
            }
        }
        matched
    }

    fn compare(
        &mut self,
        word: sock_filter,
        mask: u32,
        value: u32,
        yes: Place,
        no: Place,
    ) -> Place {
        // The next alternative often looks at the same word, which is loaded already.
        let skips_load = mask == u32::MAX && no > 0 && same(self.reversed[no], word);
        self.branch(BPF_JEQ, value, yes, if skips_load { no - 1 } else { no });
        if mask != u32::MAX {
            self.push(instruction(BPF_ALU | BPF_AND | BPF_K, mask, 0, 0));
        }
        self.push(word)
    }
}

fn same(one: sock_filter, other: sock_filter) -> bool {
    (one.code, one.k) == (other.code, other.k)
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}
