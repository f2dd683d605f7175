//! What can stand in a query or a header, beside the words and ids of the domain.

use std::{fmt, str::FromStr, time};

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use shared::domain::{
    BuildId, ExecutionId, ExecutionStatus, FunctionId, FunctionPart, FunctionStatus, IdCursor,
    IdError, InvitationId, Level, LogCursor, OnDisconnect, PageError, PageSize, ProjectId, Reason,
    RequestId, TenantId, TokenId, UserId, VersionId, VersionNumber, Window, check_length,
};

use crate::{
    resource::Resource,
    shape::{Refusal, Shape, UUID_PATTERN, inline},
};

/// A value that can stand in a query.
pub(crate) trait Parameter: Shape + Send {
    /// Reads it from its text.
    fn parse(text: &str) -> Result<Self, Refusal>
    where
        Self: Sized;
}

macro_rules! resources {
    ($($type:ty),+) => {
        $(impl Parameter for $type {
            fn parse(text: &str) -> Result<Self, Refusal> {
                Self::read_id(text)
            }
        })+
    };
}

resources!(ProjectId, FunctionId, ExecutionId);

macro_rules! parameters {
    ($($type:ty),+) => {
        $(impl Parameter for $type {
            fn parse(text: &str) -> Result<Self, Refusal> {
                text.parse().map_err(Refusal::invalid)
            }
        })+
    };
}

parameters!(
    FunctionPart,
    FunctionStatus,
    Window,
    ExecutionStatus,
    Reason,
    Level,
    OnDisconnect,
    UserId,
    RequestId,
    IdCursor,
    LogCursor,
    PageSize,
    VersionCursor,
    VersionNumber
);

impl Parameter for u32 {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.ok_or_else(|| Refusal::invalid("must be a whole number, not negative"))
    }
}

/// Behind the version of this number; opaque to callers like every cursor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VersionCursor(pub(crate) VersionNumber);

impl fmt::Display for VersionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for VersionCursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        let number = text.strip_prefix('v').ok_or(PageError::Cursor)?;
        number.parse().map(Self).map_err(|_| PageError::Cursor)
    }
}

impl Shape for VersionCursor {
    fn schema() -> MetaSchemaRef {
        inline(pattern("^v[1-9][0-9]{0,8}$"))
    }
}

/// A time span with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) time::Duration);

impl Shape for Duration {
    fn schema() -> MetaSchemaRef {
        inline(pattern("^[1-9][0-9]{0,5}(ms|s)$"))
    }
}

impl Parameter for Duration {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = || {
            Refusal::Invalid("must be a whole number with a unit, as in '500ms' or '20s'".into())
        };
        let (digits, unit_ms) = match text.strip_suffix("ms") {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('s').ok_or_else(malformed)?, 1000),
        };
        // Six digits at most, none of them idle.
        let is_plain = |amount: &u32| amount.to_string() == digits && digits.len() <= 6;
        let amount: u32 = digits.parse().ok().filter(is_plain).ok_or_else(malformed)?;
        Ok(Self(time::Duration::from_millis(u64::from(amount) * unit_ms)))
    }
}

/// How long a request may wait for an execution to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) time::Duration);

impl Wait {
    /// Proxies cut connections that stay silent for longer.
    const MAX: time::Duration = time::Duration::from_secs(60);
}

impl Shape for Wait {
    fn schema() -> MetaSchemaRef {
        inline(pattern("^((0|[1-9][0-9]{0,3}|[1-5][0-9]{4}|60000)ms|(0|[1-9]|[1-5][0-9]|60)s)$"))
    }
}

impl Parameter for Wait {
    fn parse(text: &str) -> Result<Self, Refusal> {
        match Duration::parse(text)?.0 {
            wait if wait <= Self::MAX => Ok(Self(wait)),
            _ => Err(Refusal::Invalid(format!("is {text}; at most 60s are allowed"))),
        }
    }
}

/// How many of the last lines of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineCount(pub(crate) u16);

impl LineCount {
    const MAX: u16 = 10_000;
}

impl Shape for LineCount {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            minimum: Some(0.0),
            maximum: Some(f64::from(Self::MAX)),
            ..MetaSchema::new_with_format("integer", "int32")
        })
    }
}

impl Parameter for LineCount {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let lines = text.parse().ok().filter(|lines| *lines <= Self::MAX);
        lines.map(Self).ok_or_else(|| {
            Refusal::Invalid(format!("must be a whole number from 0 to {}", Self::MAX))
        })
    }
}

/// A text to look for.
#[derive(Debug, Clone)]
pub(crate) struct SearchText(pub(crate) String);

impl SearchText {
    const MAX_CHARS: usize = 200;
}

impl Shape for SearchText {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            min_length: Some(1),
            max_length: Some(Self::MAX_CHARS),
            ..MetaSchema::new("string")
        })
    }
}

impl Parameter for SearchText {
    fn parse(text: &str) -> Result<Self, Refusal> {
        check_length(text, Self::MAX_CHARS).map_err(Refusal::invalid)?;
        match text.contains('\0') {
            // Postgres holds none, so no line does.
            true => Err(Refusal::invalid("must not hold a NUL character")),
            false => Ok(Self(text.to_owned())),
        }
    }
}

/// The header `prefer` (RFC 7240), of which one preference is known here. Unknown ones are passed
/// over, as the RFC asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prefer {
    pub(crate) respond_async: bool,
}

impl Shape for Prefer {
    fn schema() -> MetaSchemaRef {
        String::schema()
    }
}

impl Parameter for Prefer {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let mut names = text
            .split(',')
            .map(|preference| preference.split([';', '=']).next().unwrap_or_default().trim());
        Ok(Self { respond_async: names.any(|name| name.eq_ignore_ascii_case("respond-async")) })
    }
}

fn pattern(pattern: &str) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new("string") }
}

/// An id of anything that can be looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyId {
    Project(ProjectId),
    Function(FunctionId),
    Version(VersionId),
    Build(BuildId),
    Execution(ExecutionId),
    Request(RequestId),
    User(UserId),
    Tenant(TenantId),
    Token(TokenId),
    Invitation(InvitationId),
}

impl FromStr for AnyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split_once('-') {
            Some((ProjectId::PREFIX, _)) => text.parse().map(Self::Project),
            Some((FunctionId::PREFIX, _)) => text.parse().map(Self::Function),
            Some((VersionId::PREFIX, _)) => text.parse().map(Self::Version),
            Some((BuildId::PREFIX, _)) => text.parse().map(Self::Build),
            Some((ExecutionId::PREFIX, _)) => text.parse().map(Self::Execution),
            Some((UserId::PREFIX, _)) => text.parse().map(Self::User),
            Some((TenantId::PREFIX, _)) => text.parse().map(Self::Tenant),
            Some((TokenId::PREFIX, _)) => text.parse().map(Self::Token),
            Some((InvitationId::PREFIX, _)) => text.parse().map(Self::Invitation),
            _ => text.parse().map(Self::Request),
        }
    }
}

impl Shape for AnyId {
    fn schema() -> MetaSchemaRef {
        const PREFIXES: &str = "proj|func|ver|build|exec|req|user|ten|tok|inv";
        inline(pattern(&format!("^({PREFIXES})-{UUID_PATTERN}$")))
    }
}

impl Resource for AnyId {
    const NOUN: &str = "thing";
}
