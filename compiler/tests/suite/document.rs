//! `ATTACKS.md` tells users what is tested. It must be true.

use std::{fs, path::Path};

#[test]
fn every_test_the_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("ATTACKS.md")).unwrap();
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |"));
    let mut count = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in tests.split('`').skip(1).step_by(2) {
            let is_there = match name.split_once("::") {
                Some((file, test)) => {
                    let source = root.join(format!("tests/suite/{file}.rs"));
                    fs::read_to_string(source).unwrap().contains(&format!("fn {test}()"))
                }
                None => root.join("tests/projects").join(name).is_dir(),
            };
            assert!(is_there, "{name}");
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}
