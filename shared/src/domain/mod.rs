//! The vocabulary of the product: pure values, valid by construction, no IO.

mod actor;
mod callback;
mod diagnostic;
mod error_code;
mod execution;
mod function;
mod id;
mod json_text;
mod log_level;
mod name;
mod page;
mod plan;
mod reach;
mod retry;
mod role;
mod runtime;
mod settings;
mod source;
pub(crate) mod text_enum;
mod trace;
mod variable;
mod version;
mod window;
mod worker_identity;

pub use actor::Actor;
pub use callback::{CallbackStatus, CallbackUrl, CallbackUrlError};
pub use diagnostic::{Diagnostic, Severity};
pub use error_code::ErrorCode;
pub use execution::{ExecutionMode, ExecutionStatus, LogStream, OnDisconnect, Reason};
pub use function::{BuildStatus, FunctionPart, FunctionStatus, Trigger};
pub use id::{
    BuildId, ExecutionId, FunctionId, IdError, InvitationId, ProjectId, RequestId, SessionId,
    TenantId, TokenId, UserId, VersionId,
};
pub use json_text::JsonText;
pub use log_level::{Level, log_level};
pub use name::{
    Description, Email, EventName, FunctionName, PersonName, ProjectName, TextError, TokenName,
    check_length,
};
pub use page::{IdCursor, LogCursor, PageError, PageSize};
pub use plan::{Plan, PlanLimits};
pub use reach::{Network, NotANetwork, Reach};
pub use retry::RetryPolicy;
pub use role::Role;
pub use runtime::{Runtime, UnknownRuntime};
pub use settings::{NetworkAccess, VersionSettings};
pub use source::{SourceBundle, SourceError, SourceLimits};
pub use text_enum::UnknownWord;
pub use trace::{Cause, NotATraceParent, TraceContext};
pub use variable::{MAX_VARIABLES, MAX_VARIABLES_BYTES, VariableError, VariableName, Variables};
pub use version::{NotAVersion, VersionNumber};
pub use window::Window;
pub use worker_identity::WorkerIdentity;
