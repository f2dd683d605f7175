//! The schema of each kind of value, as the OpenAPI document shows it.

use std::collections::BTreeMap;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use serde_json::Value;
use shared::{
    config::Secret,
    domain::{
        BuildId, BuildStatus, CallbackStatus, CallbackUrl, Description, Email, ExecutionId,
        ExecutionMode, ExecutionStatus, FunctionId, FunctionName, FunctionPart, FunctionStatus,
        IdCursor, InvitationId, JsonText, Level, LogCursor, LogStream, NetworkAccess, OnDisconnect,
        PageSize, PersonName, Plan, ProjectId, ProjectName, Reason, RequestId, Role, Runtime,
        Severity, TenantId, TokenId, TokenName, Trigger, UserId, VersionNumber, Window,
    },
};

use super::MAX_SECRET_CHARS;

/// What stands in an id behind its prefix, as a part of a pattern.
pub(crate) const UUID_PATTERN: &str =
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

/// A value that has a place in the OpenAPI document.
pub(crate) trait Shape {
    /// True when a body may leave it out.
    const OPTIONAL: bool = false;

    /// Its schema, or a reference to it.
    fn schema() -> MetaSchemaRef;

    /// Adds what `schema` refers to to the document.
    fn register(_registry: &mut Registry) {}

    /// A value as a reader of the document would meet it, for what is declared with one.
    fn example() -> Value {
        Value::Null
    }
}

/// A schema that stands where it is used.
pub(crate) fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// One property of an object.
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) schema: MetaSchemaRef,
    pub(crate) required: bool,
}

/// The schema of an object with these properties and no others.
pub(crate) fn object(doc: &'static str, properties: Vec<Property>, example: Value) -> MetaSchema {
    MetaSchema {
        description: Some(doc.trim()),
        required: properties.iter().filter(|it| it.required).map(|it| it.name).collect(),
        properties: properties.into_iter().map(described).collect(),
        additional_properties: None,
        example: Some(example),
        ..MetaSchema::new("object")
    }
}

fn described(property: Property) -> (&'static str, MetaSchemaRef) {
    let doc = MetaSchema { description: Some(property.doc.trim()), ..MetaSchema::ANY };
    let schema = match property.schema {
        MetaSchemaRef::Inline(schema) => inline(schema.merge(doc)),
        reference @ MetaSchemaRef::Reference(_) => {
            inline(MetaSchema { all_of: vec![reference], ..doc })
        }
    };
    (property.name, schema)
}

impl<T: Shape> Shape for Option<T> {
    const OPTIONAL: bool = true;

    fn schema() -> MetaSchemaRef {
        inline(match T::schema() {
            MetaSchemaRef::Inline(mut schema) => {
                if !schema.enum_items.is_empty() {
                    schema.enum_items.push(Value::Null);
                }
                MetaSchema { nullable: true, ..*schema }
            }
            reference @ MetaSchemaRef::Reference(_) => {
                MetaSchema { all_of: vec![reference], nullable: true, ..MetaSchema::new("object") }
            }
        })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema { items: Some(Box::new(T::schema())), ..MetaSchema::new("array") })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// Texts by name.
#[derive(Debug, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct StringMap(pub(crate) BTreeMap<String, String>);

impl Shape for StringMap {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            additional_properties: Some(Box::new(String::schema())),
            ..MetaSchema::new("object")
        })
    }
}

macro_rules! shapes {
    ($($type:ty => $schema:expr;)+) => {
        $(impl Shape for $type {
            fn schema() -> MetaSchemaRef {
                inline($schema)
            }
        })+
    };
}

shapes! {
    String => MetaSchema::new("string");
    &'static str => MetaSchema::new("string");
    bool => MetaSchema::new("boolean");
    f64 => MetaSchema::new_with_format("number", "double");
    u16 => integer("int32");
    u32 => integer("int32");
    u64 => integer("int64");
    JsonText => MetaSchema::ANY;
    Secret => MetaSchema {
        min_length: Some(1),
        max_length: Some(MAX_SECRET_CHARS),
        ..MetaSchema::new_with_format("string", "password")
    };
    Email => MetaSchema { pattern: Some(address()), ..text(Email::MAX_CHARS) };
    PersonName => one_line(PersonName::MAX_CHARS);
    ProjectName => one_line(ProjectName::MAX_CHARS);
    TokenName => one_line(TokenName::MAX_CHARS);
    Description => MetaSchema {
        min_length: None,
        pattern: Some(r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$".to_owned()),
        ..text(Description::MAX_CHARS)
    };
    FunctionName => MetaSchema {
        pattern: Some("^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$".to_owned()),
        ..text(FunctionName::MAX_CHARS)
    };
    Runtime => MetaSchema {
        pattern: Some("^(go1\\.(0|[1-9][0-9]{0,2})|rust)$".to_owned()),
        ..MetaSchema::new("string")
    };
    PageSize => MetaSchema {
        minimum: Some(1.0),
        maximum: Some(f64::from(PageSize::MAX)),
        ..integer("int32")
    };
    IdCursor => base64(21, "AQgw");
    LogCursor => base64(42, "AEIMQUYcgkosw048");
    VersionNumber => MetaSchema {
        pattern: Some("^[1-9][0-9]{0,8}$".to_owned()),
        ..MetaSchema::new("string")
    };
    UserId => id(UserId::PREFIX);
    TenantId => id(TenantId::PREFIX);
    ProjectId => id(ProjectId::PREFIX);
    InvitationId => id(InvitationId::PREFIX);
    TokenId => id(TokenId::PREFIX);
    FunctionId => id(FunctionId::PREFIX);
    BuildId => id(BuildId::PREFIX);
    ExecutionId => id(ExecutionId::PREFIX);
    RequestId => id(RequestId::PREFIX);
    Role => words(Role::ALL);
    Plan => words(Plan::ALL);
    NetworkAccess => words(NetworkAccess::ALL);
    Trigger => words(Trigger::ALL);
    FunctionPart => words(FunctionPart::ALL);
    FunctionStatus => words(FunctionStatus::ALL);
    Window => words(Window::ALL);
    BuildStatus => words(BuildStatus::ALL);
    CallbackStatus => words(CallbackStatus::ALL);
    CallbackUrl => MetaSchema {
        max_length: Some(CallbackUrl::MAX_CHARS),
        ..MetaSchema::new_with_format("string", "uri")
    };
    ExecutionStatus => words(ExecutionStatus::ALL);
    ExecutionMode => words(ExecutionMode::ALL);
    OnDisconnect => words(OnDisconnect::ALL);
    Level => words(Level::ALL);
    Reason => words(Reason::ALL);
    LogStream => words(LogStream::ALL);
    Severity => words(Severity::ALL);
}

fn integer(format: &'static str) -> MetaSchema {
    MetaSchema { minimum: Some(0.0), ..MetaSchema::new_with_format("integer", format) }
}

fn text(max_chars: usize) -> MetaSchema {
    MetaSchema { min_length: Some(1), max_length: Some(max_chars), ..MetaSchema::new("string") }
}

/// No control characters, and no white space at either end.
fn one_line(max_chars: usize) -> MetaSchema {
    let pattern = format!(r"^[^\s{CONTROL}]([^{CONTROL}]*[^\s{CONTROL}])?$");
    MetaSchema { pattern: Some(pattern), ..text(max_chars) }
}

/// Control characters, as a part of a class of a pattern.
const CONTROL: &str = r"\x00-\x1f\x7f-\x9f";

/// What is certain of an e-mail address: see [`Email`].
fn address() -> String {
    let none = format!(r"\s@{CONTROL}");
    let label = format!(r"[^{none}.\-]([^{none}.]*[^{none}.\-])?");
    format!(r"^[^{none}]+@{label}(\.{label})*$")
}

/// Bytes in URL-safe base64 without padding: so many characters, and a last one that is cut short.
fn base64(whole_chars: usize, last: &str) -> MetaSchema {
    let pattern = format!("^[A-Za-z0-9_-]{{{whole_chars}}}[{last}]$");
    MetaSchema { pattern: Some(pattern), ..MetaSchema::new("string") }
}

fn id(prefix: &str) -> MetaSchema {
    MetaSchema { pattern: Some(format!("^{prefix}-{UUID_PATTERN}$")), ..MetaSchema::new("string") }
}

fn words<T: ToString>(all: &[T]) -> MetaSchema {
    let enum_items = all.iter().map(|word| Value::String(word.to_string())).collect();
    MetaSchema { enum_items, ..MetaSchema::new("string") }
}
