//! What goes into a change of a function: any of the fields of a create.

use serde_json::{Value, json};
use shared::{
    config::PayloadLimits,
    domain::{Description, ErrorCode, FunctionName, NetworkAccess, ProjectId, Runtime, Trigger},
};

use super::{
    fields::{Env, EventNames, LimitChange, NewRetry, SecretValues},
    settings::Wanted,
    source::{FileTexts, SentSource},
    views::HANDLER,
};
use crate::{
    examples::PROJECT,
    problem::Problem,
    shape::{Body, body},
};

body! {
    /// A change of a function. What is left out stays as it is.
    ChangeFunction [PayloadLimits::source_body_bytes] {
        /// Where it is; it cannot move.
        project_id: Option<ProjectId> = PROJECT,
        /// Unique in the project without regard to case; belongs to all versions.
        name: Option<FunctionName> = "send-email",
        /// What it is for; belongs to all versions.
        description: Option<Description> = "Sends one e-mail",
        /// `go1.N` or `rust`: the language version the source asks for.
        runtime: Option<Runtime> = "go1.22",
        /// The source, as one text. At most one of `code`, `code_base64`, `files` and a zip archive
        /// is sent; without any, the source stays.
        code: Option<String> = HANDLER,
        /// The source, as one text in standard base64.
        code_base64: Option<String> = Value::Null,
        /// The source, as several files: path to text.
        files: Option<FileTexts> = Value::Null,
        /// What calls it besides its invoke endpoints.
        trigger: Option<Trigger> = "event",
        /// The events that call it, when the trigger is `event`; all of them.
        events: Option<EventNames> = json!(["user.registered"]),
        /// Longest a call may take, in seconds; bounded by the plan.
        timeout: Option<u32> = 10,
        /// Most memory a call may hold, in MiB; bounded by the plan.
        memory: Option<u32> = 64,
        /// What a call can reach: `none`, or `egress`, which is TCP to public addresses. A server whose
        /// operator does not allow egress refuses it.
        network: Option<NetworkAccess> = "none",
        /// Variables of its environment; all of them.
        env: Option<Env> = json!({ "SENDER": "shop@example.com" }),
        /// Secret variables: those named here get a new value, or go when it is null. The others
        /// stay. A server without a key for secrets refuses them.
        secrets: Option<SecretValues> = Value::Null,
        /// How a failed async call is tried again.
        retry: Option<NewRetry> = NewRetry::example(),
        /// Calls at once; with null, as many as the tenant may have.
        max_concurrency: LimitChange = 5,
    }
}

/// A change without its source.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) name: Option<FunctionName>,
    pub(super) description: Option<Description>,
    pub(super) wanted: Wanted,
    pub(super) secrets: Option<SecretValues>,
}

impl ChangeFunction {
    /// Refuses a change that changes nothing.
    pub(super) fn require_something(&self, has_archive: bool) -> Result<(), Problem> {
        let settings = [
            self.runtime.is_some(),
            self.trigger.is_some(),
            self.events.is_some(),
            self.timeout.is_some(),
            self.memory.is_some(),
            self.network.is_some(),
            self.env.is_some(),
            self.secrets.is_some(),
            self.retry.is_some(),
            self.max_concurrency != LimitChange::Keep,
        ];
        let source = [self.code.is_some(), self.code_base64.is_some(), self.files.is_some()];
        let labels = [self.name.is_some(), self.description.is_some(), has_archive];
        if settings.into_iter().chain(source).chain(labels).any(|given| given) {
            return Ok(());
        }
        let known = Self::FIELDS.join(", ");
        let message = format!("the body changes nothing; send at least one of: {known}");
        Err(Problem::new(ErrorCode::ValidationFailed, message))
    }

    /// Refuses to move a function.
    pub(super) fn require_project(&self, project: ProjectId) -> Result<(), Problem> {
        match self.project_id {
            Some(other) if other != project => {
                let message =
                    format!("is {other}; the function belongs to {project} and stays there");
                Err(Problem::invalid_field("project_id", message))
            }
            _ => Ok(()),
        }
    }

    /// The source, and everything else.
    pub(super) fn split(self, archive: Option<Vec<u8>>) -> (Parts, SentSource) {
        let sent = SentSource {
            code: self.code,
            code_base64: self.code_base64,
            files: self.files,
            archive,
        };
        let wanted = Wanted {
            runtime: self.runtime,
            timeout: self.timeout,
            memory: self.memory,
            network: self.network,
            trigger: self.trigger,
            events: self.events,
            env: self.env,
            retry: self.retry,
            max_concurrency: self.max_concurrency,
        };
        let Self { name, description, secrets, .. } = self;
        (Parts { name, description, wanted, secrets }, sent)
    }
}
