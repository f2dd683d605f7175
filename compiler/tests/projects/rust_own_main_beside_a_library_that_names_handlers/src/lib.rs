//! Has no handler, only things that are called after one.

pub fn event_handler(n: u64) -> u64 {
    n + 1
}

pub mod handlers {
    pub fn handler() {}
}
