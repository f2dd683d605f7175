//! Reading a body: every field once, every mistake noted, and a value only when there was none.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;
use serde_json::value::RawValue;
use shared::{
    config::{PayloadLimits, Secret},
    domain::{
        CallbackUrl, Description, Email, FunctionId, FunctionName, JsonText, NetworkAccess,
        PersonName, ProjectId, ProjectName, Reason, Role, Runtime, TenantId, TokenName, Trigger,
        VersionNumber, check_length,
    },
};

use super::{Members, Shape, inline};
use crate::{problem::Problem, resource::Resource};

/// Longest secret that is looked at: hashing and decoding must stay cheap.
pub(crate) const MAX_SECRET_CHARS: usize = 1024;

/// Unknown fields that an answer lists: a body of nothing else must not make an answer as large.
const MAX_UNKNOWN: usize = 16;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    /// Which field.
    pub(crate) field: String,
    /// What is wrong, with the value and the limit.
    pub(crate) message: String,
}

/// Why a value was not taken.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// It cannot be right; reads after the name of the field.
    Invalid(String),
    /// It is well formed and names nothing here: a "not found", not a "bad request".
    NotFound(Box<Problem>),
}

impl Refusal {
    pub(crate) fn invalid(cause: impl Display) -> Self {
        Self::Invalid(cause.to_string())
    }

    /// The answer, when nothing else is wrong.
    pub(crate) fn problem(self, field: &str) -> Problem {
        match self {
            Self::Invalid(message) => Problem::invalid_field(field, message),
            Self::NotFound(problem) => problem.with("field", field),
        }
    }
}

/// A value that can stand in a body.
pub(crate) trait Field: Shape + Sized {
    /// Reads it from its JSON.
    fn read(json: &RawValue) -> Result<Self, Refusal>;

    /// What it is when the body leaves it out; None when it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// A JSON object that can be read into a valid value.
pub(crate) trait Body: Shape + Sized {
    /// The names it may hold.
    const FIELDS: &[&str];

    /// Most bytes the object may have; more are never read.
    fn max_bytes(payloads: &PayloadLimits) -> usize;

    /// Takes each field; None after noting what was wrong.
    fn read(fields: &mut Fields<'_>) -> Option<Self>;
}

/// The fields of one object on their way into a value.
#[derive(Debug, Default)]
pub(crate) struct Fields<'a> {
    given: BTreeMap<String, &'a RawValue>,
    /// What was wrong so far.
    pub(crate) errors: Vec<FieldError>,
    /// The answer for the first field that names something that is not there.
    pub(crate) not_found: Option<Problem>,
}

impl<'a> Fields<'a> {
    /// Reads the outline of an object.
    pub(crate) fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        let Members(members) = serde_json::from_slice(json)?;
        let mut fields = Self::default();
        for (name, value) in members {
            if fields.given.insert(name.clone(), value).is_some() {
                fields.complain(&name, "is given more than once".to_owned());
            }
        }
        Ok(fields)
    }

    /// Notes every name that is not in `known`.
    pub(crate) fn refuse_unknown(&mut self, known: &[&str]) {
        let unknown = self.given.keys().filter(|name| !known.contains(&name.as_ref()));
        let unknown: Vec<_> = unknown.take(MAX_UNKNOWN).cloned().collect();
        for name in unknown {
            self.complain(&name, format!("is not a known field; known are: {}", known.join(", ")));
        }
    }

    /// Notes what is wrong with a name that the caller chose.
    fn complain(&mut self, name: &str, message: String) {
        if self.errors.len() < MAX_UNKNOWN {
            self.errors.push(FieldError { field: name.chars().take(64).collect(), message });
        }
    }

    /// Reads one field, or notes why not.
    pub(crate) fn take<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let read = match self.given.get(name) {
            Some(json) => T::read(json),
            None => T::absent().ok_or_else(|| Refusal::invalid("is required")),
        };
        match read {
            Ok(value) => return Some(value),
            Err(Refusal::Invalid(message)) => {
                self.errors.push(FieldError { field: name.to_owned(), message });
            }
            Err(refusal @ Refusal::NotFound(_)) => {
                self.not_found.get_or_insert_with(|| refusal.problem(name));
            }
        }
        None
    }
}

impl<T: Field> Field for Option<T> {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        match json.get() {
            "null" => Ok(None),
            _ => T::read(json).map(Some),
        }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Field for JsonText {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        Ok(Self::from(json))
    }
}

impl Field for bool {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        match json.get() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Refusal::Invalid(format!("must be true or false, found {}", kind_of(json)))),
        }
    }
}

impl Field for u32 {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let json = json.get();
        json.parse().map_err(|_| {
            let found: String = json.chars().take(32).collect();
            Refusal::Invalid(format!("must be a whole number, not negative, found {found}"))
        })
    }
}

/// A whole number of days, from 1 to `MOST`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Days<const MOST: u32>(pub(crate) u32);

impl<const MOST: u32> Shape for Days<MOST> {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(MOST)),
            ..MetaSchema::new_with_format("integer", "int32")
        })
    }
}

impl<const MOST: u32> Field for Days<MOST> {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        match u32::read(json)? {
            days @ 1.. if days <= MOST => Ok(Self(days)),
            days => Err(Refusal::Invalid(format!("is {days}; 1 to {MOST} are allowed"))),
        }
    }
}

impl Field for String {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        serde_json::from_str(json.get())
            .map_err(|_| Refusal::Invalid(format!("must be a string, found {}", kind_of(json))))
    }
}

impl Field for Secret {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let text = String::read(json)?;
        match check_length(&text, MAX_SECRET_CHARS) {
            Ok(()) => Ok(Self::new(text)),
            Err(wrong) => Err(Refusal::invalid(wrong)),
        }
    }
}

macro_rules! resources {
    ($($type:ty),+) => {
        $(impl Field for $type {
            fn read(json: &RawValue) -> Result<Self, Refusal> {
                Self::read_id(&String::read(json)?)
            }
        })+
    };
}

resources!(ProjectId, FunctionId);

impl Field for TenantId {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        Self::read_id(&String::read(json)?)
    }
}

macro_rules! from_text {
    ($($type:ty),+ $(,)?) => {
        $(impl Field for $type {
            fn read(json: &RawValue) -> Result<Self, Refusal> {
                from_text(&String::read(json)?)
            }
        })+
    };
}

from_text!(
    CallbackUrl,
    Reason,
    Email,
    PersonName,
    ProjectName,
    TokenName,
    FunctionName,
    Description,
    Runtime,
    NetworkAccess,
    Trigger,
    Role,
    VersionNumber
);

fn from_text<T: FromStr<Err: Display>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(Refusal::invalid)
}

/// What a JSON text is, in one word; its first byte tells.
fn kind_of(json: &RawValue) -> &'static str {
    match json.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string that is not valid Unicode",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
