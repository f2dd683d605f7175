//! GET /functions/{function_id}/versions, and the source of one of them.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use shared::{
    domain::{
        BuildId, BuildStatus, ErrorCode, FunctionId, NetworkAccess, PageSize, Trigger, UserId,
        VersionNumber,
    },
    store::version::{self, Behind},
};

use super::{access, fields::Retry, views::HANDLER};
use crate::{
    ApiState,
    answer::Okay,
    auth::Caller,
    examples::{BUILD, DEVELOPER, MOMENT},
    page::Page,
    params::VersionCursor,
    permission::Action,
    problem::Problem,
    shape::{Timestamp, view},
};

view! {
    /// One version of a function: immutable source and settings.
    Version {
        /// Its number.
        version: String = "1",
        /// Whether calls go to it.
        serves: bool = true,
        /// What it is written in.
        runtime: String = "go1.21",
        /// Longest a call may take, in seconds.
        timeout: u32 = 30,
        /// Most memory a call may hold, in MiB.
        memory: u32 = 128,
        /// What a call can reach: `none`, or `egress`, which is TCP to public addresses.
        network: NetworkAccess = "none",
        /// What calls it besides its invoke endpoints.
        trigger: Trigger = "http",
        /// The events that call it.
        events: Vec<String> = json!([]),
        /// The names of its variables.
        env_names: Vec<String> = json!(["SENDER"]),
        /// The names of its secrets.
        secrets: Vec<String> = json!(["SMTP_PASSWORD"]),
        /// How a failed async call is tried again.
        retry: Retry = Retry::example(),
        /// Calls at once; null: as many as the tenant may have.
        max_concurrency: Option<u32> = Value::Null,
        /// The build it runs on; that of an earlier version when only settings differ.
        build_id: BuildId = BUILD,
        /// How far that build is.
        build_status: BuildStatus = "succeeded",
        /// Who asked for it.
        created_by: UserId = DEVELOPER,
        /// When.
        created_at: Timestamp = MOMENT,
    }
}

impl From<version::Version> for Version {
    fn from(row: version::Version) -> Self {
        let settings = row.settings;
        Self {
            version: row.number.to_string(),
            serves: row.serves,
            runtime: settings.runtime.to_string(),
            timeout: settings.timeout_seconds,
            memory: settings.memory_mib,
            network: settings.network,
            trigger: settings.trigger,
            events: settings.events.iter().map(ToString::to_string).collect(),
            env_names: settings.env.keys().map(ToString::to_string).collect(),
            secrets: row.secret_names.iter().map(ToString::to_string).collect(),
            retry: settings.retry.into(),
            max_concurrency: settings.max_concurrency,
            build_id: row.build,
            build_status: row.build_status,
            created_by: row.created_by,
            created_at: row.created_at.into(),
        }
    }
}

pub(super) async fn list(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    behind: Option<VersionCursor>,
    size: PageSize,
) -> Result<Okay<Page<Version>>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    access::find(&mut tx, caller, id, Action::ReadFunction).await?;
    let behind = behind.map(|VersionCursor(number)| Behind(number));
    let rows = version::list(&mut tx, caller.actor.tenant, id, behind, size).await?;
    let cursor = |row: &version::Version| VersionCursor(row.number).to_string();
    Ok(Okay::new(Page::of(rows, size, cursor, Version::from)))
}

view! {
    /// One file of a source.
    SourceFile {
        /// Inside the source.
        path: String = "handler.go",
        /// `utf-8`: the content is the text; `base64`: it is no text.
        encoding: &'static str = "utf-8",
        /// The whole file.
        content: String = HANDLER,
    }
}

view! {
    /// The source of a version.
    Source {
        /// The version.
        version: String = "1",
        /// Its files in the order of their paths.
        files: Vec<SourceFile> = json!([SourceFile::example()]),
    }
}

pub(super) async fn source(
    state: &ApiState,
    caller: &Caller,
    id: FunctionId,
    number: VersionNumber,
) -> Result<Okay<Source>, Problem> {
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    access::find(&mut tx, caller, id, Action::ReadFunction).await?;
    let bundle = version::source(&mut tx, caller.actor.tenant, id, number).await?;
    let bundle = bundle.ok_or_else(|| not_found(number))?;
    let files = bundle.files().map(|(path, content)| {
        let (encoding, content) = match std::str::from_utf8(content) {
            Ok(text) => ("utf-8", text.to_owned()),
            Err(_) => ("base64", BASE64.encode(content)),
        };
        SourceFile { path: path.to_owned(), encoding, content }
    });
    Ok(Okay::new(Source { version: number.to_string(), files: files.collect() }))
}

/// The answer when a function has no version of this number.
pub(crate) fn not_found(number: VersionNumber) -> Problem {
    let message = format!("the function has no version {number}, or keeps it no longer");
    Problem::new(ErrorCode::NotFound, message).with("version", number.to_string())
}

/// The answer when a version has no binary.
pub(crate) fn not_built(function: FunctionId, version: &version::Version) -> Problem {
    let why = match version.build_status {
        BuildStatus::Failed => "did not compile",
        _ => "is still being built",
    };
    let (number, build) = (version.number, version.build);
    let message =
        format!("version {number} {why}; see GET /api/v1/functions/{function}/builds/{build}");
    Problem::new(ErrorCode::FuncNotReady, message)
        .with("version", number.to_string())
        .with("build_id", build.to_string())
}
