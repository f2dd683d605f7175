//! One call at a time: plain spawn, primed call and cold call take turns, so that whatever else the
//! machine does slows all three.

use std::{
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sandbox::{Ended, Image, Options, Program, Sandbox};
use tokio_util::sync::CancellationToken;

use crate::{
    programs::{INPUT, call},
    report::{Report, Times, millis},
};

const ROUNDS: usize = 500;
/// Not counted: caches fill, pages are read.
const WARM_UP: usize = 20;

pub(crate) async fn measure(report: &mut Report, language: &str, path: &Path) {
    let primed = Sandbox::start(Options { primed: 4, ..Options::new(Image::empty()) }).await;
    let cold = Sandbox::start(Options { primed: 0, ..Options::new(Image::empty()) }).await;
    let (primed, cold) = (primed.unwrap(), cold.unwrap());
    let program = call(path);
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..WARM_UP + ROUNDS {
        let turn = [plain(path), timed(&primed, &program).await, timed(&cold, &program).await];
        if round >= WARM_UP {
            times.iter_mut().zip(turn).for_each(|(times, time)| times.push(time));
        }
    }
    primed.stop().await;
    cold.stop().await;
    tell(report, language, times.map(Times::new));
}

fn tell(report: &mut Report, language: &str, [plain, primed, cold]: [Times; 3]) {
    let spread = |times: &Times| {
        let [p10, p50, p99] = [0.1, 0.5, 0.99].map(|share| millis(times.quantile(share)));
        format!("p10 {p10:.2} ms, p50 {p50:.2} ms, p99 {p99:.2} ms")
    };
    report.row(format!("{language}: plain spawn"), spread(&plain), "");
    for (name, times, promised) in
        [("primed", primed, "p50 +0.40 ms or less"), ("cold", cold, "p50 +1.50 ms or less")]
    {
        let more = millis(times.p50()) - millis(plain.p50());
        let ratio = millis(times.p50()) / millis(plain.p50());
        let measured = format!("{}: p50 {more:+.2} ms, x{ratio:.1}", spread(&times));
        report.row(format!("{language}: {name} call"), measured, promised);
    }
}

/// Only the call is timed: refill and removal are off the path of a call at light load.
async fn timed(sandbox: &Sandbox, program: &Program) -> Duration {
    sandbox.primed().await;
    sandbox.settled().await;
    let program = program.clone();
    let started = Instant::now();
    let outcome = sandbox.run(program, &CancellationToken::new()).await.unwrap();
    let time = started.elapsed();
    assert_eq!((outcome.ended, &*outcome.stdout), (Ended::Exited(0), INPUT));
    time
}

/// What any program would do that starts another one: the standard library uses posix_spawn.
pub(crate) fn plain(path: &Path) -> Duration {
    let started = Instant::now();
    let mut child = Command::new(path)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(INPUT).unwrap();
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
    assert!(child.wait().unwrap().success());
    let time = started.elapsed();
    assert_eq!(output, INPUT);
    time
}
