//! One program, many attacks: the first argument chooses. Compiled by the tests as a static binary.

use std::io::Read;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "echo" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).unwrap();
            eprintln!("args {:?} env {:?}", &args[1..], std::env::vars().collect::<Vec<_>>());
            print!("{text}");
        }
        other => panic!("no attack is called {other}"),
    }
}
