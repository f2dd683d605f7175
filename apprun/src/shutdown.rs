//! Being told to stop: the first signal asks for an orderly end, the second ends at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What a shell reports for a program ended by Ctrl-C: 128 and the signal's number.
const EXIT_INTERRUPTED: i32 = 130;

/// A token that is cancelled by SIGINT or SIGTERM. From then on another signal ends the process,
/// whatever it is doing; the kernel and the supervisors of our children clean up after that.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let stopping = token.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        stopping.cancel();
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(token)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
