// The functions that are called. Rust where only the platform is measured: it starts fastest.

export const goHello = {
  name: 'hello',
  runtime: 'go1.21',
  code: `package main

func Handler(in map[string]any) (map[string]any, error) {
	return map[string]any{"message": "Hello, " + in["name"].(string) + "!"}, nil
}
`,
};

export const rustHello = {
  name: 'hello-rust',
  runtime: 'rust',
  code: `use serde_json::{Value, json};

pub fn handler(input: Value) -> Result<Value, String> {
    Ok(json!({"message": input["name"]}))
}
`,
};

/** Sleeps for `ms` of its input. */
export const sleeper = {
  name: 'sleeper',
  runtime: 'rust',
  timeout: 30,
  code: `use std::{thread, time::Duration};

use serde_json::Value;

pub fn handler(input: Value) -> Result<u64, String> {
    let ms = input["ms"].as_u64().ok_or("ms is missing")?;
    thread::sleep(Duration::from_millis(ms));
    Ok(ms)
}
`,
};

/** Keeps one core busy for \`ms\` of its input. */
export const spinner = {
  name: 'spinner',
  runtime: 'rust',
  timeout: 30,
  code: `use std::time::{Duration, Instant};

use serde_json::Value;

pub fn handler(input: Value) -> Result<u64, String> {
    let ms = input["ms"].as_u64().ok_or("ms is missing")?;
    let start = Instant::now();
    let mut rounds = 0_u64;
    while start.elapsed() < Duration::from_millis(ms) {
        rounds = std::hint::black_box(rounds + 1);
    }
    Ok(rounds)
}
`,
};

/** A Go function whose source no other has, so that no build can be shared. */
export function uniqueGo(mark) {
  return {
    name: `storm-${mark}`,
    runtime: 'go1.21',
    code: `package main

func Handler(in map[string]any) (map[string]any, error) {
	return map[string]any{"mark": "${mark}"}, nil
}
`,
  };
}
