//! Questions to a person, asked only when one sits at a terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::failure::Failure;

/// Longest answer, in bytes; far above what the API takes.
const MAX_BYTES: u64 = 4096;

/// Both ends of a conversation are a terminal.
fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a text. Without a terminal it is a usage error that names the other way.
pub(crate) fn ask(question: &str, otherwise: &str) -> Result<String, Failure> {
    if !somebody_is_there() {
        return Err(Failure::usage(otherwise));
    }
    eprint!("{question}: ");
    let _ = io::stderr().flush();
    read_line()
}

/// Asks for a text that is not shown while it is typed.
pub(crate) async fn ask_secret(question: &str, otherwise: &str) -> Result<String, Failure> {
    if !somebody_is_there() {
        return Err(Failure::usage(otherwise));
    }
    eprint!("{question}: ");
    let _ = io::stderr().flush();
    let silence = Silence::begin();
    let typed = tokio::task::spawn_blocking(read_line);
    let typed = tokio::select! {
        typed = typed => typed.unwrap_or_else(|_| Err(no_answer())),
        // The default way to end would leave the terminal mute.
        _ = tokio::signal::ctrl_c() => {
            drop(silence);
            eprintln!();
            std::process::exit(130);
        }
    };
    drop(silence);
    eprintln!();
    typed
}

/// The first line of standard input, without its end.
pub(crate) fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::stdin().lock().take(MAX_BYTES).read_line(&mut line);
    read.map_err(|_| no_answer())?;
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(no_answer()) } else { Ok(text.to_owned()) }
}

fn no_answer() -> Failure {
    Failure::usage("nothing was typed")
}

/// While it lives, the terminal does not show what is typed.
struct Silence(Option<Termios>);

impl Silence {
    fn begin() -> Self {
        let Ok(before) = tcgetattr(io::stdin()) else { return Self(None) };
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        Self(tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent).is_ok().then_some(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
