//! Chooses the command and gives it what each needs: its rights, its configuration, its log.

use sandbox::{Launcher, Warden};
use shared::{
    config::{Config, Sources},
    telemetry::{self, LogFormat},
};
use tokio_util::sync::CancellationToken;

use super::{api, demo, dev, migrate, plan, queue, ready, rebuild, toolchains, worker};
use crate::{command_line::Extras, error::CommandError, shutdown, wiring};

/// Huge pages are for programs with large heaps. Here they round a few megabytes up to tens, in each of
/// two processes that wait most of the time. What a process starts inherits this, so `dev` and `demo`,
/// which start a Postgres and calls, stay as they are; a worker's calls come from its warden, which is
/// there already.
pub(crate) fn do_without_huge_pages(command: &str) {
    if matches!(command, "api" | "worker") {
        // A kernel without them refuses, and has nothing to do without.
        let _ = nix::sys::prctl::set_thp_disable(true);
    }
}

/// Who starts spawners for this command. A worker gives up here, for good, the rights that only this
/// takes; `dev` and `demo` run a Postgres as another user and keep theirs. To be called while the
/// process has one thread and has read no secret.
pub(crate) fn launcher(command: &str) -> Result<Launcher, CommandError> {
    match command {
        "worker" => Ok(Launcher::Warden(Warden::take_over().map_err(CommandError::Warden)?)),
        _ => Ok(Launcher::Direct),
    }
}

/// Carries out a command of `command_line`.
pub(crate) async fn run(
    command: &str,
    sources: Sources,
    extras: Extras,
    launcher: Launcher,
) -> Result<(), CommandError> {
    if command == "version" {
        println!("apprun {}", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    let mut config = Config::load(sources)?;
    match command {
        "toolchains" => return toolchains::run(config, extras.json).await,
        "ready" => return ready::run(config).await,
        _ => {}
    }
    if command == "demo" {
        demo::quieten(&mut config);
    }
    let format = config.log_format.unwrap_or_else(|| match command {
        // It prints a story, whatever that goes to.
        "demo" => LogFormat::Human,
        _ => LogFormat::detect(),
    });
    start_log(&config, format)?;
    let ended = run_logged(command, config, extras, launcher).await;
    ended.map_err(|error| if format == LogFormat::Json { log_as_last(error) } else { error })
}

/// What ended the command, as a line like all others, unless the filter drops it.
fn log_as_last(error: CommandError) -> CommandError {
    let is_told_by_code = matches!(error, CommandError::Interrupted);
    if is_told_by_code || !tracing::enabled!(tracing::Level::ERROR) {
        return error;
    }
    tracing::error!(error = error.one_line(), "apprun ends");
    CommandError::Logged
}

async fn run_logged(
    command: &str,
    config: Config,
    extras: Extras,
    launcher: Launcher,
) -> Result<(), CommandError> {
    warn_of_unused(&config);
    start_spans(command, &config)?;
    // Before anything slow is done.
    wiring::allowed_layers(&config)?;
    let stop = shutdown::on_signal().map_err(CommandError::Signals)?;
    let ended = dispatch(command, config, extras, launcher, stop).await;
    telemetry::flush_spans().await;
    ended
}

async fn dispatch(
    command: &str,
    config: Config,
    extras: Extras,
    launcher: Launcher,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    match command {
        "dev" => dev::run(config, stop).await,
        "api" => api::run(config, stop).await,
        "worker" => worker::run(config, launcher, stop).await,
        "migrate" => migrate::run(config).await,
        "queue" => queue::run(config, extras, stop).await,
        "rebuild" => rebuild::run(config).await,
        "plan" => match extras.new_plan {
            Some((tenant, plan)) => plan::run(config, tenant, plan).await,
            None => unreachable!("the command line insists on both"),
        },
        "demo" => demo::run(config, stop).await,
        other => unreachable!("{other} is not declared in command_line"),
    }
}

fn start_log(config: &Config, format: LogFormat) -> Result<(), CommandError> {
    telemetry::init(&config.log, format)
        .map_err(|_| CommandError::LogFilter { filter: config.log.clone() })
}

/// The commands that do work of which a collector may be told.
fn start_spans(command: &str, config: &Config) -> Result<(), CommandError> {
    let service = match command {
        "api" => "apprun-api",
        "worker" => "apprun-worker",
        "dev" => "apprun",
        _ => return Ok(()),
    };
    let Some(endpoint) = &config.otlp_endpoint else { return Ok(()) };
    Ok(telemetry::export_spans(endpoint, service, wiring::VERSION)?)
}

/// Settings that scripts may already carry and that no part of this version reads.
fn warn_of_unused(config: &Config) {
    let unused = [
        ("nats_url", config.nats_url.is_some()),
        ("functions.runtime.temp_dir", config.functions.temp_dir.is_some()),
    ];
    for (key, _) in unused.iter().filter(|(_, is_set)| *is_set) {
        tracing::warn!("{key} is set but has no effect in this version");
    }
}
