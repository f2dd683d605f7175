//! `ATTACKS.md` tells users what is tested. It must be true.

use std::{fs, path::Path};

#[test]
fn every_test_the_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("ATTACKS.md")).unwrap();
    let named = document.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"));
    let mut count = 0;
    for (file, test) in named.filter(|(file, _)| *file != "common") {
        let source = fs::read_to_string(root.join(format!("tests/suite/{file}.rs"))).unwrap();
        assert!(source.contains(&format!("fn {test}()")), "{file}::{test}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}
