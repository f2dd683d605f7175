//! What ids name. A well-formed id of another kind, and one of somebody else, get the same answer:
//! there is no such thing here.

use std::str::FromStr;

use shared::domain::{
    BuildId, ErrorCode, ExecutionId, FunctionId, IdError, InvitationId, ProjectId, TenantId,
    TokenId, UserId,
};

use crate::{
    problem::Problem,
    shape::{Refusal, Shape},
};

/// Something that an id names.
pub(crate) trait Resource: FromStr<Err = IdError> + Shape + Send {
    /// What it is called.
    const NOUN: &str;
    /// The code of the answer when it is not there.
    const NOT_FOUND: ErrorCode = ErrorCode::NotFound;

    /// The answer when it is not there for this caller.
    fn not_found() -> Problem {
        Problem::new(Self::NOT_FOUND, format!("there is no such {}", Self::NOUN))
    }

    /// Reads an id.
    fn read_id(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(|error| match error {
            IdError::WrongKind { .. } => Refusal::NotFound(Box::new(Self::not_found())),
            IdError::Malformed { .. } => Refusal::invalid(error),
        })
    }
}

impl Resource for ProjectId {
    const NOUN: &str = "project";
}

impl Resource for TenantId {
    const NOUN: &str = "tenant";
}

impl Resource for UserId {
    const NOUN: &str = "user";
}

impl Resource for InvitationId {
    const NOUN: &str = "invitation";
}

impl Resource for TokenId {
    const NOUN: &str = "token";
}

impl Resource for FunctionId {
    const NOUN: &str = "function";
    const NOT_FOUND: ErrorCode = ErrorCode::FuncNotFound;
}

impl Resource for BuildId {
    const NOUN: &str = "build";
}

impl Resource for ExecutionId {
    const NOUN: &str = "execution";
}
