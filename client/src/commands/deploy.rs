//! `apprun deploy`: sends a folder, waits for its build, and tells how it went.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::{ArgMatches, Command};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{diagnostics, secrets};
use crate::{
    arguments::{folder, project, remote},
    context::Context,
    failure::Failure,
    folder::{Manifest, Source},
    output::{self, Progress},
    resolve,
    server::{Answer, LONG},
    views::{Build, FunctionDetails},
};

/// Between two looks at a build, at first and at most. A cached one takes no longer than the first;
/// a long one must not use up the requests that a plan allows in a minute.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(2);
/// For a worker with the toolchain to start; the build waits on when the command does not.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn definition() -> Command {
    remote(
        "deploy",
        "Build a folder's function and put it in service",
        "The folder has a manifest, function.yaml. What the compiler says is shown with its place. \
         Prints the function's id.",
    )
    .arg(folder())
    .arg(project())
}

#[derive(Deserialize)]
struct Deployed {
    function_id: String,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let folder = matches.get_one::<PathBuf>("folder").expect("clap insists on it");
    let manifest = Manifest::read(folder)?;
    let source = Source::read(folder, &manifest)?;
    let progress = Progress::new(context.json);
    progress.show(format_args!("sending {} …", manifest.name));
    let began = Instant::now();
    let id = send(context, &manifest, &source).await?;
    let (answer, details) = built(context, &id, &manifest.name, &progress).await?;
    drop(progress);
    let build = details.newest_build();
    tell(context, build, &source);
    if build.status != "succeeded" {
        return Err(failed(&answer, &id, &manifest.name, build)?);
    }
    context.answer(&answer, |_: Deployed| {
        // A change of settings alone has no build of its own: the version that serves is the newest.
        let (name, version) = (&details.function.name, &details.function.version);
        let seconds = began.elapsed().as_secs_f64();
        context.say(format_args!("{name} version {version} is active ({seconds:.1} s)"));
        output::data(&id)?;
        context.next(format_args!("apprun invoke {name} '{{}}'"));
        Ok(())
    })
}

/// Creates the function, or gives it a new version. Its id.
async fn send(context: &Context, manifest: &Manifest, source: &Source) -> Result<String, Failure> {
    let project = resolve::project(context).await?;
    let mut fields = manifest.fields.clone();
    let known = resolve::find_function(context, &project, &manifest.name).await?;
    let known = known.ok().map(|function| function.function_id);
    let values = secrets::from_environment(context, manifest, known.as_deref()).await?;
    if !values.is_empty() {
        fields.insert("secrets".to_owned(), values.into());
    }
    let (method, path) = match known {
        Some(id) => (Method::PUT, format!("/functions/{id}")),
        None => {
            fields.insert("project_id".to_owned(), project.id.into());
            (Method::POST, "/functions".to_owned())
        }
    };
    let body = source.body(fields)?;
    let sent: Deployed = context.api.call(method, &path, &body, LONG).await?.data()?;
    Ok(sent.function_id)
}

/// Waits until the newest build has ended.
async fn built(
    context: &Context,
    id: &str,
    name: &str,
    progress: &Progress,
) -> Result<(Answer, FunctionDetails), Failure> {
    let began = Instant::now();
    let mut pause = FIRST_LOOK;
    let mut said_lack = false;
    loop {
        let answer = context.api.get(&format!("/functions/{id}")).await?;
        let details: FunctionDetails = answer.data()?;
        let build = details.newest_build();
        let status = &build.status;
        if !matches!(status.as_str(), "pending" | "running") {
            return Ok((answer, details));
        }
        // What it waits for: no worker of this server can build it now.
        if let Some(lack) = &build.message {
            if began.elapsed() > PATIENCE {
                return Err(Failure::NotBuilding(format!("{name} is not built yet: {lack}")));
            }
            if !said_lack {
                context.say(lack);
            }
            said_lack = true;
        }
        let seconds = began.elapsed().as_secs_f64();
        progress.show(format_args!("building {name}: {status} {seconds:.1} s"));
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LAST_LOOK);
    }
}

/// Warnings of a build that succeeded, errors of one that did not.
fn tell(context: &Context, build: &Build, source: &Source) {
    for diagnostic in &build.diagnostics {
        context.say(diagnostics::render(diagnostic, source));
    }
    if build.status != "succeeded" && build.diagnostics.is_empty() && !build.log_tail.is_empty() {
        context.say(build.log_tail.trim_end());
    }
}

fn failed(answer: &Answer, id: &str, name: &str, build: &Build) -> Result<Failure, Failure> {
    // The compiler's own messages have been shown with their places.
    let shown = build.message.as_deref().filter(|_| build.diagnostics.is_empty());
    let why = shown.map(|message| format!(": {message}")).unwrap_or_default();
    let data: serde_json::Value = answer.data()?;
    let newest = if data["newer_build"].is_null() { "build" } else { "newer_build" };
    Ok(Failure::BuildFailed {
        message: format!("{name} version {} was not built{why}", build.version),
        details: json!({ "function_id": id, "build": data[newest] }),
        request_id: answer.request_id.clone(),
    })
}
