//! The functions of the demo: two that work, one that sleeps too long, one that does not compile.

use serde_json::{Value, json};

/// A function that works, and what calling it must give.
pub(super) struct Example {
    pub(super) name: &'static str,
    pub(super) runtime: &'static str,
    pub(super) code: &'static str,
    pub(super) input: Value,
    pub(super) output: Value,
    /// In the log of each call.
    pub(super) log: &'static str,
}

pub(super) fn working() -> [Example; 2] {
    let example = |name, runtime, code| Example {
        name,
        runtime,
        code,
        input: json!({ "name": "Ada" }),
        output: json!({ "message": "Hello, Ada!" }),
        log: "greeting Ada",
    };
    [
        example(
            "go-hello",
            "go1.21",
            include_str!("../../../../examples/functions/go-hello/handler.go"),
        ),
        example(
            "rust-hello",
            "rust",
            include_str!("../../../../examples/functions/rust-hello/handler.rs"),
        ),
    ]
}

/// Its timeout, and how much longer it may take until it has ended.
pub(super) const TIMEOUT_MS: f64 = 1000.0;
pub(super) const TIMEOUT_SLACK_MS: f64 = 500.0;

/// Sleeps far past its timeout of one second.
pub(super) const SLEEPS: &str = r#"package main

import "time"

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	time.Sleep(time.Minute)
	return input, nil
}
"#;

/// Uses a name that nobody declared, in line 4.
pub(super) const DOES_NOT_COMPILE: &str = r#"package main

func Handler(input map[string]interface{}) (map[string]interface{}, error) {
	return map[string]interface{}{"total": undeclared}, nil
}
"#;
pub(super) const WRONG_LINE: u64 = 4;
pub(super) const WRONG_NAME: &str = "undeclared";
