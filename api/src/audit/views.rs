//! What goes into and out of the audit endpoint.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use shared::{
    domain::{RequestId, UserId},
    store::audit::Recorded,
};
use uuid::Uuid;

use crate::{
    examples::{MOMENT, PROJECT, REQUEST, USER},
    params::Parameter,
    shape::{Refusal, Shape, Timestamp, UUID_PATTERN, inline, view},
};

/// What was done, or to which kind of thing.
#[derive(Debug)]
pub(crate) struct ActionName(pub(super) String);

impl ActionName {
    const MAX_CHARS: usize = 64;
}

impl Shape for ActionName {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            pattern: Some("^[a-z_.]{1,64}$".to_owned()),
            ..MetaSchema::new("string")
        })
    }
}

impl Parameter for ActionName {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
        match (1..=Self::MAX_CHARS).contains(&text.len()) && text.bytes().all(is_part) {
            true => Ok(Self(text.to_owned())),
            false => Err(Refusal::invalid("must be as in 'project.create' or 'project'")),
        }
    }
}

/// The id of anything.
#[derive(Debug)]
pub(crate) struct ResourceUuid(pub(super) Uuid);

impl Shape for ResourceUuid {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            pattern: Some(format!("^([a-z]+-)?{UUID_PATTERN}$")),
            ..MetaSchema::new("string")
        })
    }
}

impl Parameter for ResourceUuid {
    fn parse(text: &str) -> Result<Self, Refusal> {
        const UUID_CHARS: usize = 36;
        let is_prefix = |text: &str| {
            text.strip_suffix('-').is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
        };
        let start = text.len().checked_sub(UUID_CHARS);
        let parts = start.and_then(|start| text.split_at_checked(start));
        let uuid = parts.filter(|(prefix, _)| prefix.is_empty() || is_prefix(prefix));
        let uuid = uuid.and_then(|(_, uuid)| Uuid::try_parse(uuid).ok());
        uuid.map(Self).ok_or_else(|| Refusal::invalid("must be the id of something"))
    }
}

view! {
    /// One thing that somebody did.
    Deed {
        /// When.
        at: Timestamp = MOMENT,
        /// Who did it; a machine is a user too.
        user_id: Option<UserId> = USER,
        /// What, as `resource.verb`.
        action: String = "project.create",
        /// The kind of thing it was done to: the first word of `action`.
        resource_type: String = "project",
        /// Which one: the UUID of its id, without the prefix.
        resource_id: Option<String> = PROJECT.trim_start_matches("proj-"),
        /// By which request.
        request_id: RequestId = REQUEST,
        /// From where.
        address: Option<String> = "192.0.2.7",
        /// With which program, as it calls itself.
        user_agent: Option<String> = "curl/7.88.1",
    }
}

impl From<Recorded> for Deed {
    fn from(row: Recorded) -> Self {
        let kind = row.action.split('.').next().unwrap_or_default().to_owned();
        Self {
            at: row.at.into(),
            user_id: row.actor,
            resource_type: kind,
            action: row.action,
            resource_id: row.resource.map(|id| id.to_string()),
            request_id: row.request,
            address: row.remote_addr,
            user_agent: row.user_agent,
        }
    }
}
