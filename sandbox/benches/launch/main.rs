//! What isolation costs: a plain spawn of the same binary, in the same run, is the measure.
//!
//! Prints one table. A machine that is busy with something else shows in the plain spawn too, so
//! read differences and ratios before absolute numbers.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod cost;
#[path = "../../tests/suite/common/go.rs"]
mod go;
mod latency;
mod load;
mod programs;
mod report;

use programs::Binaries;
use report::Report;

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let binaries = Binaries::compile(directory.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut report = Report::new();
    // On a worker thread of the runtime, as in the product: `block_on`'s own thread would be woken
    // by another thread at each event.
    let measured = runtime.spawn(async move {
        for (language, path) in [("Rust, musl", &binaries.rust), ("Go", &binaries.go)] {
            latency::measure(&mut report, language, path).await;
        }
        load::throughput(&mut report, &binaries.rust).await;
        load::fork_bomb(&mut report, &binaries.bomb).await;
        load::idle_memory(&mut report).await;
        report
    });
    runtime.block_on(measured).unwrap().print();
}
