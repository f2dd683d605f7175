//! What goes into the function endpoints, and how functions look from outside.

use std::fmt::Display;

use serde_json::{Value, json};
use shared::{
    config::PayloadLimits,
    domain::{
        Description, FunctionId, FunctionName, FunctionStatus, NetworkAccess, ProjectId, Runtime,
        Trigger,
    },
    store::function,
};

use super::{
    fields::{Env, EventNames, LimitChange, NewRetry, SecretValues},
    source::FileTexts,
    stats::FunctionStats,
};
use crate::{
    examples::{FUNCTION, MOMENT, PROJECT},
    shape::{Timestamp, body, view},
};

pub(super) const HANDLER: &str = "package main\n\nfunc Handler(input map[string]interface{}) (map[string]interface{}, error) {\n\treturn map[string]interface{}{\"sent\": true}, nil\n}\n";

/// Where a function is called, by its id.
pub(super) fn invoke_url(id: impl Display) -> String {
    format!("/api/v1/functions/{id}/invoke")
}

body! {
    /// A new function.
    NewFunction [PayloadLimits::source_body_bytes] {
        /// The project that will own it.
        project_id: ProjectId = PROJECT,
        /// Unique in the project without regard to case.
        name: FunctionName = "send-email",
        /// What it is for.
        description: Option<Description> = "Sends one e-mail",
        /// `go1.N` or `rust`: the language version the source asks for.
        runtime: Runtime = "go1.21",
        /// The source, as one text. Exactly one of `code`, `code_base64`, `files` and a zip archive
        /// is sent.
        code: Option<String> = HANDLER,
        /// The source, as one text in standard base64.
        code_base64: Option<String> = Value::Null,
        /// The source, as several files: path to text.
        files: Option<FileTexts> = Value::Null,
        /// What calls it besides its invoke endpoints; `http` when left out.
        trigger: Option<Trigger> = "http",
        /// Longest a call may take, in seconds; bounded by the plan.
        timeout: Option<u32> = 30,
        /// Most memory a call may hold, in MiB; bounded by the plan.
        memory: Option<u32> = 128,
        /// What a call can reach: `none`, or `egress`, which is TCP to public addresses. Nothing when
        /// left out. A server whose operator does not allow egress refuses it.
        network: Option<NetworkAccess> = "none",
        /// The events that call it, when the trigger is `event`.
        events: Option<EventNames> = Value::Null,
        /// Variables of its environment.
        env: Option<Env> = json!({ "SENDER": "shop@example.com" }),
        /// Secret variables of its environment: encrypted, and shown to nobody again. A server
        /// without a key for secrets refuses them.
        secrets: Option<SecretValues> = Value::Null,
        /// How a failed async call is tried again; not at all when left out.
        retry: Option<NewRetry> = NewRetry::example(),
        /// Calls at once; as many as the tenant may have when left out.
        max_concurrency: LimitChange = 5,
    }
}

view! {
    /// A function that was created.
    FunctionCreated {
        /// The function.
        function_id: FunctionId = FUNCTION,
        /// Its name.
        name: String = "send-email",
        /// `pending` until it is built.
        status: FunctionStatus = "pending",
        /// Its first version.
        version: String = "1",
        /// Where it is called, once it is active.
        invoke_url: String = invoke_url(FUNCTION),
        /// When it was created.
        created_at: Timestamp = MOMENT,
    }
}

view! {
    /// A function, as lists show it.
    Function {
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
        /// What that version is written in.
        runtime: String = "go1.21",
        /// What calls it besides its invoke endpoints.
        trigger: Trigger = "http",
        /// Longest a call may take, in seconds.
        timeout: u32 = 30,
        /// Most memory a call may hold, in MiB.
        memory: u32 = 128,
        /// What a call can reach: `none`, or `egress`, which is TCP to public addresses.
        network: NetworkAccess = "none",
        /// Where it is called.
        invoke_url: String = invoke_url(FUNCTION),
        /// When it was created.
        created_at: Timestamp = MOMENT,
        /// When its status, version or settings changed last.
        updated_at: Timestamp = MOMENT,
        /// What it did in the last 24 hours; null unless `include=stats` asks for it.
        stats: Option<FunctionStats> = Value::Null,
    }
}

impl From<function::Function> for Function {
    fn from(row: function::Function) -> Self {
        Self {
            function_id: row.id,
            project_id: row.project,
            name: row.name,
            description: row.description,
            status: row.status,
            version: row.version.to_string(),
            runtime: row.runtime,
            trigger: row.trigger,
            timeout: row.timeout_seconds,
            memory: row.memory_mib,
            network: row.network,
            invoke_url: invoke_url(row.id),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            stats: None,
        }
    }
}
