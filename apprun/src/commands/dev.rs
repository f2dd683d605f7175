//! `apprun dev`: everything in one process.

use shared::config::{Config, Registration};
use tokio_util::sync::CancellationToken;

use crate::{error::CommandError, first_account, stack::Stack};

/// Runs until told to stop, or until a part that should not end does.
pub(super) async fn run(mut config: Config, stop: CancellationToken) -> Result<(), CommandError> {
    let data_dir = config.data_dir.clone();
    // Nobody but this machine reaches it unless somebody chose so, and then they choose this too.
    config.registration.get_or_insert(Registration::Open);
    let stack = Stack::start(&config, &stop).await?;
    println!("{}", welcome(&stack, &data_dir.display().to_string()));
    if let Some(setup_token) = stack.setup_token() {
        first_account::tell(setup_token, &stack.url());
    }
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = stack.postgres_ended() => Err(CommandError::PostgresEnded(data_dir)),
    };
    stack.stop().await;
    ended
}

/// What a developer needs to begin: where it is, and the first commands.
fn welcome(stack: &Stack, data_dir: &str) -> String {
    let url = stack.url();
    let seconds = stack.started_in().as_secs_f64();
    format!(
        r#"
apprun dev is ready ({seconds:.1} s)

  API     {url}/api/v1
  Docs    {url}/docs
  State   {data_dir}

An account, a project and a function, from another terminal:

  apprun login --register --email me@example.com --server {url}
  apprun project create tour
  apprun init hello && apprun deploy hello

Ctrl-C stops everything.
"#
    )
}
