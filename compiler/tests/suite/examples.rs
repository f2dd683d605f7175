//! Every example function builds and does what its table says.

use std::{fs, path::Path};

use compiler::{BuildLimits, FunctionResult};

use crate::common::{Workshop, binary, folder_source};

const EXAMPLES: [(&str, &str, &str, &str); 4] = [
    ("go-hello", "go1.21", r#"{"name":"you"}"#, r#"{"message":"Hello, you!"}"#),
    ("go-sleep", "go1.21", r#"{"seconds":0.1}"#, r#"{"slept_seconds":0.1}"#),
    ("rust-hello", "rust", r#"{"name":"you"}"#, r#"{"message":"Hello, you!"}"#),
    (
        "rust-order",
        "rust",
        r#"{"items":[{"name":"tea","cents":350,"count":2}]}"#,
        r#"{"total_cents":700,"lines":1}"#,
    ),
];

#[tokio::test]
async fn every_example_does_what_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/functions");
    let table = fs::read_to_string(folder.join("README.md")).unwrap();
    let folders =
        fs::read_dir(&folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), EXAMPLES.len(), "each example has a row above");
    let workshop = Workshop::open().await;
    for (name, runtime, input, output) in EXAMPLES {
        assert!(table.contains(&format!("`{input}` | `{output}`")), "{name} is not in the table");
        let source = folder_source(&folder.join(name));
        let binary = binary(workshop.build(runtime, &source, BuildLimits::default()).await);
        let expected = FunctionResult::Completed { output: output.to_owned() };
        assert_eq!(workshop.result(&binary, input).await, expected, "{name}");
    }
    workshop.close().await;
}
