//! Runs a handler as a whole program and reports by the protocol of the platform.
//!
//! The real stdout is kept aside for the result; descriptor 1 points at the log from the first
//! moment on, so a print cannot damage the result. Compiled once per toolchain: only what depends on
//! the handler's own types is left to each build.

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

/// An exit status of the protocol, and the message beside it.
type Failed = (i32, String);

/// Calls the handler with the document on stdin, reports, and ends the process.
pub fn serve<In, Out, Failure>(handler: fn(In) -> Result<Out, Failure>) -> !
where
    In: DeserializeOwned,
    Out: Serialize,
    Failure: Display,
{
    run(&|document| {
        let mut reader = serde_json::Deserializer::from_slice(document);
        let input = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| misfit(&error.path().to_string(), error.inner()))?;
        reader.end().map_err(|_| more_than_one())?;
        let output = handler(input).map_err(|error| (RETURNED_ERROR, error.to_string()))?;
        serde_json::to_vec(&output).map_err(|error| not_writable(&error))
    })
}

/// Names the field and the type that do not fit.
fn misfit(path: &str, error: &serde_json::Error) -> Failed {
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    let place = match path {
        "." | "?" => "the input".to_owned(),
        path => format!("input field \"{path}\""),
    };
    (INPUT_REFUSED, format!("{place} does not fit: {reason}"))
}

fn more_than_one() -> Failed {
    (INPUT_REFUSED, "the input holds more than one JSON document".to_owned())
}

fn not_writable(error: &serde_json::Error) -> Failed {
    (OUTPUT_REFUSED, format!("the output cannot be written as JSON: {error}"))
}

fn run(work: &dyn Fn(&[u8]) -> Result<Vec<u8>, Failed>) -> ! {
    let mut stdout = claim_stdout().unwrap_or_else(|error| give_up("keep stdout", &error));
    let mut document = Vec::new();
    let result = match io::stdin().read_to_end(&mut document) {
        Ok(_) => catch(|| work(&document)),
        Err(error) => Err((INPUT_REFUSED, format!("the input cannot be read: {error}"))),
    };
    let (status, document) = match result {
        Ok(document) => (0, document),
        Err((status, message)) => {
            let report = serde_json::Value::from_iter([("error", message)]);
            (status, report.to_string().into_bytes())
        }
    };
    if let Err(error) = stdout.write_all(&document) {
        give_up("hand over the result", &error);
    }
    process::exit(status)
}

/// A panic becomes its message. The usual report still goes to the log.
fn catch(work: impl FnOnce() -> Result<Vec<u8>, Failed>) -> Result<Vec<u8>, Failed> {
    static SAID: Mutex<String> = Mutex::new(String::new());
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        if let Ok(mut said) = SAID.lock() {
            *said = info.to_string();
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let said = SAID.lock().map(|said| said.clone()).unwrap_or_default();
        Err((PANICKED, said))
    })
}

fn claim_stdout() -> io::Result<File> {
    let kept = io::stdout().as_fd().try_clone_to_owned()?;
    // SAFETY: dup2 takes two descriptors, both open since the start, and touches no memory.
    if unsafe { dup2(2, 1) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(kept))
}

fn give_up(action: &str, error: &io::Error) -> ! {
    eprintln!("failed to {action}: {error}");
    process::exit(1)
}
