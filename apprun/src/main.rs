//! The one binary: parses the command line, nothing more.

#[allow(dead_code, unused_imports)]
mod data_dir;
#[allow(dead_code, unused_imports)]
mod embedded;

fn main() {}
