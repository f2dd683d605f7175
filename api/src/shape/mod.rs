//! What bodies and answers look like. One declaration gives the Rust struct, its JSON, its schema
//! and its example in the OpenAPI document, so the four cannot drift apart.

mod declare;
mod field;
mod measured;
mod members;
mod schema;
mod timestamp;

pub(crate) use declare::{body, shape, view};
pub(crate) use field::{Body, Days, Field, FieldError, Fields, MAX_SECRET_CHARS, Refusal};
pub(crate) use measured::{mebibytes, milliseconds};
pub(crate) use members::Members;
pub(crate) use schema::{Property, Shape, StringMap, UUID_PATTERN, inline, object};
pub(crate) use timestamp::Timestamp;
