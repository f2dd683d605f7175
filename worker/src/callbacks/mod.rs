//! Callbacks: tells callers how their executions ended, by signed POST requests to URLs that they
//! chose. At least once, with back-off, and only to addresses that callbacks may reach.

mod client;
mod message;
mod send;

pub use send::Callbacks;
