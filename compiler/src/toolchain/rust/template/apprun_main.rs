//! Generated: runs the handler as a whole program and reports by the protocol of the platform.
//!
//! The real stdout is kept aside for the result; descriptor 1 points at the log from the first
//! moment on, so a print cannot damage the result.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
    panic::{self, AssertUnwindSafe},
    process,
    sync::Mutex,
};

use serde::{Serialize, de::DeserializeOwned};

const RETURNED_ERROR: i32 = 121;
const PANICKED: i32 = 122;
const INPUT_REFUSED: i32 = 123;
const OUTPUT_REFUSED: i32 = 124;

unsafe extern "C" {
    fn dup2(from: i32, to: i32) -> i32;
}

fn main() {
    serve(function::handler)
}

fn serve<In, Out, Failure>(handler: fn(In) -> Result<Out, Failure>) -> !
where
    In: DeserializeOwned,
    Out: Serialize,
    Failure: Display,
{
    let mut stdout = claim_stdout().unwrap_or_else(|error| give_up("keep stdout", &error));
    let input = read_input()
        .and_then(|document| decode(&document))
        .unwrap_or_else(|error| fail(&mut stdout, INPUT_REFUSED, &error));
    match call(handler, input) {
        Ok(Ok(output)) => finish_with(&mut stdout, &output),
        Ok(Err(failure)) => fail(&mut stdout, RETURNED_ERROR, &failure.to_string()),
        Err(panic) => fail(&mut stdout, PANICKED, &panic),
    }
}

/// The handler's result, or what its panic said. The usual report still goes to the log.
fn call<In, Out, Failure>(
    handler: fn(In) -> Result<Out, Failure>,
    input: In,
) -> Result<Result<Out, Failure>, String> {
    static SAID: Mutex<String> = Mutex::new(String::new());
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        if let Ok(mut said) = SAID.lock() {
            *said = info.to_string();
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(|| handler(input)))
        .map_err(|_| SAID.lock().map(|said| said.clone()).unwrap_or_default())
}

fn claim_stdout() -> io::Result<File> {
    let kept = io::stdout().as_fd().try_clone_to_owned()?;
    // SAFETY: dup2 takes two descriptors, both open since the start, and touches no memory.
    if unsafe { dup2(2, 1) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(kept))
}

fn read_input() -> Result<Vec<u8>, String> {
    let mut document = Vec::new();
    match io::stdin().read_to_end(&mut document) {
        Ok(_) => Ok(document),
        Err(error) => Err(format!("the input cannot be read: {error}")),
    }
}

/// Names the field and the type that do not fit.
fn decode<In: DeserializeOwned>(document: &[u8]) -> Result<In, String> {
    let mut reader = serde_json::Deserializer::from_slice(document);
    let input = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
        match path.as_str() {
            "." => format!("the input does not fit: {reason}"),
            path => format!("input field \"{path}\" does not fit: {reason}"),
        }
    })?;
    reader.end().map_err(|_| "the input holds more than one JSON document".to_owned())?;
    Ok(input)
}

fn finish_with(stdout: &mut File, output: &impl Serialize) -> ! {
    match serde_json::to_vec(output) {
        Ok(document) => finish(stdout, 0, &document),
        Err(error) => {
            let message = format!("the output cannot be written as JSON: {error}");
            fail(stdout, OUTPUT_REFUSED, &message)
        }
    }
}

fn fail(stdout: &mut File, status: i32, message: &str) -> ! {
    let report = serde_json::Value::from_iter([("error", message)]);
    finish(stdout, status, report.to_string().as_bytes())
}

fn finish(stdout: &mut File, status: i32, document: &[u8]) -> ! {
    if let Err(error) = stdout.write_all(document) {
        give_up("hand over the result", &error);
    }
    process::exit(status)
}

fn give_up(action: &str, error: &io::Error) -> ! {
    eprintln!("failed to {action}: {error}");
    process::exit(1)
}
