//! A function with everything about it but its source.

use serde_json::{Value, json};
use shared::{
    domain::{FunctionId, FunctionStatus, NetworkAccess, ProjectId, Trigger, UserId},
    store::{build_report::BuildReport, function, version},
};

use super::{build_views::BuildSummary, fields::Retry, views::invoke_url};
use crate::{
    examples::{DEVELOPER, FUNCTION, MOMENT, PROJECT},
    shape::{StringMap, Timestamp, view},
};

view! {
    /// A function, with the settings of the version that serves, or of the newest while none does.
    FunctionDetails {
        /// The function.
        function_id: FunctionId = FUNCTION,
        /// Its project.
        project_id: ProjectId = PROJECT,
        /// Its name.
        name: String = "send-email",
        /// What it is for.
        description: String = "Sends one e-mail",
        /// `pending` until a version is built, then `active` as long as one serves.
        status: FunctionStatus = "active",
        /// The version that serves, or the newest while none does.
        version: String = "1",
        /// The newest version, whether it serves or not.
        latest_version: String = "1",
        /// What the version is written in.
        runtime: String = "go1.21",
        /// What calls it besides its invoke endpoints.
        trigger: Trigger = "http",
        /// The events that call it.
        events: Vec<String> = json!([]),
        /// Longest a call may take, in seconds.
        timeout: u32 = 30,
        /// Most memory a call may hold, in MiB.
        memory: u32 = 128,
        /// What a call can reach: `none`, or `egress`, which is TCP to public addresses.
        network: NetworkAccess = "none",
        /// Variables of its environment.
        env: StringMap = json!({ "SENDER": "shop@example.com" }),
        /// The names of its secrets, whose values nobody is shown.
        secrets: Vec<String> = json!(["SMTP_PASSWORD"]),
        /// How a failed async call is tried again.
        retry: Retry = Retry::example(),
        /// Calls at once; null: as many as the tenant may have.
        max_concurrency: Option<u32> = Value::Null,
        /// Where it is called.
        invoke_url: String = invoke_url(FUNCTION),
        /// The build of the version.
        build: BuildSummary = BuildSummary::example(),
        /// The build of the newest version when that does not serve: still on its way, or failed.
        newer_build: Option<BuildSummary> = Value::Null,
        /// Who created it.
        created_by: UserId = DEVELOPER,
        /// When it was created.
        created_at: Timestamp = MOMENT,
        /// When its status, version or settings changed last.
        updated_at: Timestamp = MOMENT,
    }
}

impl FunctionDetails {
    pub(super) fn of(
        row: function::Function,
        version: version::Version,
        build: BuildReport,
        newer_build: Option<BuildReport>,
    ) -> Self {
        let settings = version.settings;
        let env = settings.env.into_iter().map(|(name, value)| (name.to_string(), value));
        Self {
            function_id: row.id,
            project_id: row.project,
            name: row.name,
            description: row.description,
            status: row.status,
            version: version.number.to_string(),
            latest_version: row.latest_version.to_string(),
            runtime: settings.runtime.to_string(),
            trigger: settings.trigger,
            events: settings.events.iter().map(ToString::to_string).collect(),
            timeout: settings.timeout_seconds,
            memory: settings.memory_mib,
            network: settings.network,
            env: StringMap(env.collect()),
            secrets: version.secret_names.iter().map(ToString::to_string).collect(),
            retry: settings.retry.into(),
            max_concurrency: settings.max_concurrency,
            invoke_url: invoke_url(row.id),
            build: build.into(),
            newer_build: newer_build.map(BuildSummary::from),
            created_by: row.created_by,
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}
