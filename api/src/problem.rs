//! The one error type of this room. What the caller sees and what the log sees are two texts; the
//! request id joins them. Every failure becomes a `Problem`, every `Problem` one JSON shape.

use std::fmt::Display;

use poem::http::{HeaderName, StatusCode};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use serde_json::{Map, Value, json};
use shared::{
    domain::{ErrorCode, RequestId, Role},
    store::StoreError,
    telemetry::chain,
};

use crate::{
    errors,
    examples::REQUEST,
    permission::Action,
    shape::{FieldError, Shape, inline, view},
};

/// A request that cannot be answered as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    pub(crate) details: Map<String, Value>,
    /// Says when to try again.
    pub(crate) retry_after_seconds: Option<u32>,
    /// More headers of the answer.
    pub(crate) headers: Vec<(HeaderName, String)>,
    /// For the log only.
    pub(crate) cause: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Map::new(),
            retry_after_seconds: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// Adds one entry to `details`.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// A malformed request: one entry per field.
    pub(crate) fn invalid(errors: &[FieldError]) -> Self {
        let listed: Vec<_> =
            errors.iter().map(|error| format!("'{}' {}", error.field, error.message)).collect();
        Self::new(ErrorCode::ValidationFailed, listed.join("; ")).with("fields", json!(errors))
    }

    /// A malformed request with one wrong field.
    pub(crate) fn invalid_field(field: &str, message: impl Display) -> Self {
        Self::invalid(&[FieldError { field: field.to_owned(), message: message.to_string() }])
    }

    /// A field that holds more than it may.
    pub(crate) fn field_too_large(field: &str, bytes: usize, max_bytes: usize) -> Self {
        let message = format!("'{field}' is {bytes} bytes long; at most {max_bytes} are allowed");
        Self::new(ErrorCode::PayloadTooLarge, message)
            .with("field", field)
            .with("bytes", bytes)
            .with("limit_bytes", max_bytes)
    }

    /// Not for this caller.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(ErrorCode::Forbidden, message)
    }

    /// Not for this caller's role.
    pub(crate) fn lacks_role(action: Action, role: Option<Role>) -> Self {
        let least = action.least_role();
        let yours = match role {
            Some(role) => format!("yours is '{role}'"),
            None => "you have none over the tenant".to_owned(),
        };
        let message = format!("{action} needs the role '{least}' or higher; {yours}");
        Self::new(ErrorCode::Forbidden, message)
            .with("needs", least.as_str())
            .with("has", role.map(Role::as_str))
    }

    /// No valid token.
    pub(crate) fn unauthenticated(message: &str) -> Self {
        Self::new(ErrorCode::Unauthenticated, message)
    }

    /// A valid token of somebody who is no longer a member of the tenant it names.
    pub(crate) fn account_gone() -> Self {
        Self::unauthenticated("you are no longer a member of this tenant; log in again")
    }

    /// Too much at once; worth trying again soon.
    pub(crate) fn overloaded(message: &str) -> Self {
        let problem = Self::new(ErrorCode::Overloaded, message);
        Self { retry_after_seconds: Some(1), ..problem }
    }

    /// Trouble on our side.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let problem = Self::new(
            ErrorCode::Internal,
            "something went wrong on our side; the request id leads to it in the log",
        );
        Self { cause: Some(cause.into()), ..problem }
    }

    /// The envelope of the answer, its keys in the order in which those of a success come.
    pub(crate) fn envelope(&self, request: RequestId) -> String {
        let (status, code) = (self.code.http_status(), self.code);
        let message = Value::from(self.message.as_str());
        let details = Value::Object(self.details.clone());
        let docs = errors::page_path(code);
        format!(
            r#"{{"success":false,"code":{status},"error":{{"code":"{code}","message":{message},"details":{details},"docs":"{docs}"}},"request_id":"{request}"}}"#
        )
    }

    /// The HTTP status it answers with.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let cause = Some(chain(&error));
        match error.is_transient() || error.is_closing() {
            true => Self { cause, ..Self::overloaded("the database is away or busy; try again") },
            false => Self { cause, ..Self::internal("") },
        }
    }
}

/// Carries the problem to the door, which puts it into the envelope.
impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        let mut error = Self::from_status(problem.status());
        error.set_data(problem);
        error
    }
}

view! {
    /// What went wrong.
    ErrorBody {
        /// What went wrong, for programs.
        code: String = "FUNC_NOT_FOUND",
        /// What went wrong, for people: names the field, the value and the limit.
        message: String = "there is no such function",
        /// What the code stands for, as data.
        details: Details = json!({}),
        /// The page about this code, on this server.
        docs: String = "/docs/errors/FUNC_NOT_FOUND",
    }
}

view! {
    /// The answer to every request that fails.
    ErrorAnswer {
        /// Always false.
        success: bool = false,
        /// The HTTP status.
        code: u16 = 404,
        /// What went wrong.
        error: ErrorBody = ErrorBody::example(),
        /// Leads to the log.
        request_id: String = REQUEST,
    }
}

/// Details of a problem: an object, different for each code.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Details(pub(crate) Map<String, Value>);

impl Shape for Details {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema::new("object"))
    }
}

/// What failures look like; which of them an operation answers with, `document` works out.
impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let failure = MetaResponse {
            description: "Any failure",
            status: None,
            status_range: Some("4XX".to_owned()),
            content: vec![MetaMediaType {
                content_type: "application/json",
                schema: ErrorAnswer::schema(),
            }],
            headers: vec![],
        };
        MetaResponses { responses: vec![failure] }
    }

    fn register(registry: &mut Registry) {
        ErrorAnswer::register(registry);
    }
}
