//! The command line for people who write and call functions: it speaks the HTTP API of any server and
//! knows nothing of this product's other rooms.
//!
//! Standard output carries the data that was asked for and nothing else; everything said to a person
//! goes to standard error. A terminal gets the same as a file, but for control characters.

mod arguments;
mod commands;
mod context;
mod failure;
mod folder;
mod output;
mod plain;
mod prompt;
mod resolve;
mod server;
mod views;

pub use commands::{definitions, run};
pub use failure::usage_envelope;
