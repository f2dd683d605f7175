//! The one binary: parses the command line, nothing more.

fn main() {}
