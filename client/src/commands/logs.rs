//! `apprun logs`: what a function's calls wrote, oldest first, and with -f what they go on writing.

use std::{collections::BTreeSet, time::Duration};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::{
    arguments::{function, given, project, remote, text, with_query},
    context::Context,
    failure::{EXIT_SERVER, Failure},
    output, resolve,
    server::Answer,
    views::{FunctionDetails, LogLine, Page},
};

/// Between two looks for new lines: a third of the requests that the smallest plan allows.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The longest pause while the server cannot be asked; each is twice the one before.
const MAX_PAUSE: Duration = Duration::from_secs(30);
/// Lines per request: the API's most.
const MAX_LINES: u16 = 200;
/// Pages read at one look. Nobody reads what writes more than this between two.
const MAX_PAGES: usize = 20;
/// Lines that are remembered as printed: more than one look can bring.
const MAX_SEEN: usize = 10_000;

pub(super) fn definition() -> Command {
    remote(
        "logs",
        "Show what a function's calls wrote",
        "One line of text per line of log, oldest first. With -f it goes on with new lines until \
         Ctrl-C. A call's lines are there as soon as the call has ended.",
    )
    .arg(function())
    .arg(
        Arg::new("follow")
            .long("follow")
            .short('f')
            .action(ArgAction::SetTrue)
            .help("Go on with new lines as they come"),
    )
    .arg(
        Arg::new("limit")
            .long("limit")
            .value_name("N")
            .default_value("50")
            .value_parser(value_parser!(u16).range(1..=200))
            .help("Lines of history, up to 200"),
    )
    .arg(filter("execution_id", "execution", "Only of this call: exec-…"))
    .arg(filter("level", "level", "Only lines at least as grave: debug, info, warn, error"))
    .arg(filter("text", "text", "Only lines that hold this text"))
    .arg(project())
}

/// Narrows the lines down, here as at the API; the id is the API's name for it.
fn filter(id: &'static str, long: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(long).value_name(long.to_uppercase()).help(help)
}

/// Which lines of which function.
struct Log {
    function_id: String,
    filters: Vec<(&'static str, String)>,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let named = text(matches, "function");
    let function_id = resolve::function(context, named).await?;
    let filters = ["execution_id", "level", "text"].into_iter();
    let filters = filters.filter_map(|filter| given(matches, filter)).collect();
    let log = Log { function_id, filters };
    let limit = matches.get_one::<u16>("limit").copied().unwrap_or(MAX_LINES);
    if matches.get_flag("follow") {
        return follow(context, &log, limit.into()).await;
    }
    let answer = page(context, &log, limit, None).await?;
    context.answer(&answer, |page: Page<LogLine>| {
        print_lines(page.items.iter().rev())?;
        context.next(format_args!("apprun logs -f {named}"));
        Ok(())
    })
}

async fn page(
    context: &Context,
    log: &Log,
    limit: u16,
    cursor: Option<String>,
) -> Result<Answer, Failure> {
    let mut query = log.filters.clone();
    query.push(("limit", limit.to_string()));
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    context.api.get(&with_query(&format!("/functions/{}/logs", log.function_id), &query)).await
}

fn print_lines<'a>(lines: impl Iterator<Item = &'a LogLine>) -> Result<(), Failure> {
    let texts: Vec<_> = lines.map(|line| format!("{}  {}", clock(line.t), line.text)).collect();
    if texts.is_empty() { Ok(()) } else { output::data(&texts.join("\n")) }
}

/// To the millisecond, in a width that does not change: the lines stand below each other.
fn clock(t: OffsetDateTime) -> String {
    let (date, (hour, minute, second, millisecond)) = (t.date(), t.time().as_hms_milli());
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

/// A line as the server wrote it, and what the client reads of it.
struct Item {
    line: LogLine,
    json: Box<RawValue>,
}

/// Prints history and then what comes.
async fn follow(context: &Context, log: &Log, history: usize) -> Result<(), Failure> {
    let function: FunctionDetails =
        context.api.get(&format!("/functions/{}", log.function_id)).await?.data()?;
    let longest_call = Duration::from_secs(function.timeout);
    let mut seen = Seen::default();
    let mut fresh = look(context, log, 1, longest_call, &mut seen).await?;
    if fresh.len() >= MAX_LINES.into() {
        seen.begin_with_oldest();
    }
    fresh.drain(..fresh.len().saturating_sub(history));
    loop {
        print(context, &fresh)?;
        tokio::time::sleep(LOOK_EVERY).await;
        fresh = look_until_told(context, log, longest_call, &mut seen).await?;
    }
}

/// A server that is away, or busy for long, is asked again: whoever follows a log waits for what comes.
async fn look_until_told(
    context: &Context,
    log: &Log,
    longest_call: Duration,
    seen: &mut Seen,
) -> Result<Vec<Item>, Failure> {
    let mut pause = LOOK_EVERY;
    loop {
        match look(context, log, MAX_PAGES, longest_call, seen).await {
            Err(failure) if failure.exit_code() == EXIT_SERVER => {
                context.say(format_args!("{failure}; trying again in {} s", pause.as_secs()));
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(MAX_PAUSE);
            }
            looked => return looked,
        }
    }
}

/// The lines that were not there at the last look, oldest first. A call that ends late brings lines
/// older than some that were seen, so a look goes back as far as a call may have lasted.
async fn look(
    context: &Context,
    log: &Log,
    max_pages: usize,
    longest_call: Duration,
    seen: &mut Seen,
) -> Result<Vec<Item>, Failure> {
    let mut fresh = Vec::new();
    if let Err(failure) = gather(context, log, max_pages, longest_call, seen, &mut fresh).await {
        // They are printed by the look that comes through.
        fresh.iter().for_each(|item| seen.forget(&item.line));
        return Err(failure);
    }
    seen.forget_oldest();
    fresh.sort_by_key(|item| (item.line.t, item.line.seq));
    Ok(fresh)
}

async fn gather(
    context: &Context,
    log: &Log,
    max_pages: usize,
    longest_call: Duration,
    seen: &mut Seen,
    fresh: &mut Vec<Item>,
) -> Result<(), Failure> {
    let (mut cursor, mut newest) = (None, None);
    for _ in 0..max_pages {
        let answer = page(context, log, MAX_LINES, cursor).await?;
        let page: Page<Box<RawValue>> = answer.data()?;
        let (found, mut oldest) = (fresh.len(), None);
        for json in page.items {
            let line: LogLine = answer.part(&json)?;
            newest = newest.or(Some(line.t));
            oldest = Some(line.t);
            if seen.is_new(&line) {
                fresh.push(Item { line, json });
            }
        }
        cursor = page.next_cursor;
        let reaches_back = oldest.zip(newest).is_none_or(|(from, to)| to - from > longest_call);
        if cursor.is_none() || (reaches_back && fresh.len() == found) {
            break;
        }
    }
    Ok(())
}

/// New lines as text, or as one envelope on one line.
fn print(context: &Context, fresh: &[Item]) -> Result<(), Failure> {
    if !context.json {
        return print_lines(fresh.iter().map(|item| &item.line));
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let items: Vec<_> = fresh.iter().map(|item| item.json.get()).collect();
    output::data(&format!(
        r#"{{"success":true,"code":200,"data":{{"items":[{}],"next_cursor":null}},"request_id":null}}"#,
        items.join(",")
    ))
}

/// Which lines were printed, or were there before.
#[derive(Default)]
struct Seen {
    /// By time, execution and place in the execution.
    lines: BTreeSet<(OffsetDateTime, String, u64)>,
    /// Whatever is older was there before; its place is not remembered.
    floor: Option<OffsetDateTime>,
}

impl Seen {
    /// True once for each line.
    fn is_new(&mut self, line: &LogLine) -> bool {
        let is_old = self.floor.is_some_and(|floor| line.t < floor);
        !is_old && self.lines.insert((line.t, line.execution_id.clone(), line.seq))
    }

    fn forget(&mut self, line: &LogLine) {
        self.lines.remove(&(line.t, line.execution_id.clone(), line.seq));
    }

    /// Whatever is older than all lines so far counts as seen.
    fn begin_with_oldest(&mut self) {
        self.floor = self.lines.first().map(|(t, ..)| *t);
    }

    fn forget_oldest(&mut self) {
        if self.lines.len() > MAX_SEEN {
            while self.lines.len() > MAX_SEEN {
                self.lines.pop_first();
            }
            self.begin_with_oldest();
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn line(second: i64, execution: &str, seq: u64) -> LogLine {
        let t = datetime!(2026-01-01 0:00 UTC) + time::Duration::seconds(second);
        LogLine { execution_id: execution.to_owned(), seq, t, text: String::new() }
    }

    #[test]
    fn each_line_is_new_once_and_late_ones_are_not_lost() {
        let mut seen = Seen::default();
        assert!(seen.is_new(&line(10, "a", 1)));
        assert!(seen.is_new(&line(20, "a", 2)));
        seen.begin_with_oldest();

        assert!(!seen.is_new(&line(20, "a", 2)));
        assert!(seen.is_new(&line(15, "b", 1)), "older than the newest, and new");
        assert!(!seen.is_new(&line(5, "c", 1)), "there before the first look");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for second in 0..2 * MAX_SEEN as i64 {
            seen.is_new(&line(second, "a", 1));
        }
        seen.forget_oldest();
        assert_eq!(seen.lines.len(), MAX_SEEN);
        assert!(!seen.is_new(&line(0, "a", 1)));
    }

    #[test]
    fn the_clock_has_one_width() {
        assert_eq!(clock(datetime!(2026-01-02 3:04:05.6 UTC)), "2026-01-02T03:04:05.600Z");
    }
}
