//! `apprun queue`: what waits and runs, read from the database alone.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use shared::{
    config::Config,
    queue::{self, Depth, Tally},
    store::Db,
};
use tokio_util::sync::CancellationToken;

use crate::{command_line::Extras, error::CommandError, wiring};

const REFRESH_EVERY: Duration = Duration::from_secs(1);

/// To the upper left corner, and nothing below it.
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

/// Prints until told to stop on a terminal, and once elsewhere or when asked to.
pub(super) async fn run(
    config: Config,
    flags: Extras,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let db = Db::connect(wiring::database_url(&config)?.expose(), 1).await?;
    db.require_schema().await?;
    let is_live = std::io::stdout().is_terminal() && !flags.once && !flags.json;
    loop {
        let depths = queue::depths(&db, None).await?;
        let workers = queue::live_workers(&db).await?;
        let tallies = queue::tallies(&db).await?;
        let text = match flags.json {
            true => json(&depths, &tallies, workers),
            false => table(&depths, &tallies, workers),
        };
        let screen = if is_live { CLEAR_SCREEN } else { "" };
        // A reader that has gone away needs no more.
        if writeln!(std::io::stdout(), "{screen}{text}").is_err() || !is_live {
            break;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(REFRESH_EVERY) => {}
        }
    }
    db.close().await;
    Ok(())
}

fn table(depths: &[Depth], tallies: &[Tally], workers: u64) -> String {
    let mut lines = vec![format!(
        "{:<6} {:>9} {:>9} {:>9} {:>12}",
        "class", "ready", "running", "deferred", "oldest"
    )];
    lines.extend(depths.iter().map(|depth| {
        let oldest = depth.oldest_ready.map_or("-".to_owned(), age);
        format!(
            "{:<6} {:>9} {:>9} {:>9} {:>12}",
            depth.class.as_str(),
            depth.ready,
            depth.running,
            depth.deferred,
            oldest
        )
    }));
    lines.push(format!("\nworkers {workers}, which did since they started:\n"));
    lines.push(format!(
        "{:<6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "class",
        "claimed",
        "settled",
        "stale",
        "retried",
        "returned",
        "reaped",
        "dead",
        "mean wait"
    ));
    lines.extend(tallies.iter().map(|tally| {
        format!(
            "{:<6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9.1} ms",
            tally.class.as_str(),
            tally.claimed,
            tally.settled,
            tally.stale_settles,
            tally.retried,
            tally.given_back,
            tally.reaped,
            tally.dead,
            milliseconds(tally.mean_wait)
        )
    }));
    lines.join("\n")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        0..60 => format!("{:.1} s", age.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

fn json(depths: &[Depth], tallies: &[Tally], workers: u64) -> String {
    let classes: Vec<_> = depths
        .iter()
        .map(|depth| {
            serde_json::json!({
                "class": depth.class.as_str(),
                "ready": depth.ready,
                "running": depth.running,
                "deferred": depth.deferred,
                "oldest_ready_seconds": depth.oldest_ready.map(|age| age.as_secs_f64()),
            })
        })
        .collect();
    let counts: Vec<_> = tallies
        .iter()
        .map(|tally| {
            serde_json::json!({
                "class": tally.class.as_str(),
                "claimed": tally.claimed,
                "settled": tally.settled,
                "stale_settles": tally.stale_settles,
                "retried": tally.retried,
                "given_back": tally.given_back,
                "reaped": tally.reaped,
                "dead": tally.dead,
                "mean_wait_ms": milliseconds(tally.mean_wait),
            })
        })
        .collect();
    serde_json::json!({ "classes": classes, "workers": workers, "counts": counts }).to_string()
}

#[cfg(test)]
mod tests {
    use shared::queue::Class;

    use super::*;

    const DEPTH: Depth = Depth {
        class: Class::Async,
        ready: 1200,
        running: 10,
        deferred: 3,
        oldest_ready: Some(Duration::from_millis(2500)),
    };

    const TALLY: Tally = Tally {
        class: Class::Async,
        claimed: 12,
        mean_wait: Duration::from_micros(1500),
        settled: 9,
        stale_settles: 1,
        retried: 2,
        given_back: 0,
        reaped: 3,
        dead: 0,
    };

    #[test]
    fn the_tables_show_each_class_and_what_the_workers_did() {
        let empty = Depth { class: Class::Build, oldest_ready: None, ready: 0, ..DEPTH };
        let table = table(&[DEPTH, empty], &[TALLY], 2);
        let lines: Vec<Vec<_>> =
            table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["async", "1200", "10", "3", "2.5", "s"]);
        assert_eq!(lines[2], ["build", "0", "10", "3", "-"]);
        assert_eq!(lines[4][..2], ["workers", "2,"]);
        assert_eq!(lines[7], ["async", "12", "9", "1", "2", "0", "3", "0", "1.5", "ms"]);
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let told = [0, 59, 60, 3599, 7200].map(|seconds| age(Duration::from_secs(seconds)));
        assert_eq!(told, ["0.0 s", "59.0 s", "1 min", "59 min", "2 h"]);
    }

    #[test]
    fn json_names_every_number() {
        let json: serde_json::Value = serde_json::from_str(&json(&[DEPTH], &[TALLY], 2)).unwrap();
        assert_eq!(json["workers"], 2);
        assert_eq!(json["counts"][0]["claimed"], 12);
        assert_eq!(json["classes"][0]["oldest_ready_seconds"], 2.5);
        assert_eq!(json["classes"][0]["ready"], 1200);
    }
}
