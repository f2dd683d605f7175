//! The fields of a function's settings, as bodies hold them: events, variables, secrets, retry.

use std::time::Duration;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::value::RawValue;
use shared::{
    config::Secret,
    domain::{EventName, MAX_VARIABLES, MAX_VARIABLES_BYTES, RetryPolicy, VariableName, Variables},
};

use crate::shape::{Body, Field, Fields, Members, Refusal, Shape, body, inline, view};

/// Events that may call one function.
const MAX_EVENTS: usize = 50;

/// Longest value of one secret, in bytes: a chain of certificates fits.
const MAX_VALUE_BYTES: usize = 8 * 1024;

/// Names of events, each once.
#[derive(Debug)]
pub(crate) struct EventNames(pub(super) Vec<EventName>);

impl Shape for EventNames {
    fn schema() -> MetaSchemaRef {
        let name =
            MetaSchema { max_length: Some(EventName::MAX_CHARS), ..MetaSchema::new("string") };
        inline(MetaSchema {
            items: Some(Box::new(inline(name))),
            max_items: Some(MAX_EVENTS),
            ..MetaSchema::new("array")
        })
    }
}

impl Field for EventNames {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let names: Vec<String> = serde_json::from_str(json.get())
            .map_err(|_| Refusal::invalid("must be an array of names of events"))?;
        if names.len() > MAX_EVENTS {
            let found = names.len();
            return Err(Refusal::Invalid(format!("are {found}; at most {MAX_EVENTS} are allowed")));
        }
        let mut events: Vec<EventName> = Vec::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let event: EventName = name
                .parse()
                .map_err(|error| Refusal::Invalid(format!("number {} {error}", place + 1)))?;
            if events.contains(&event) {
                return Err(Refusal::Invalid(format!("name {event} more than once")));
            }
            events.push(event);
        }
        Ok(Self(events))
    }
}

/// What a body makes of a limit that a function may be without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LimitChange {
    /// Left out: it stays.
    #[default]
    Keep,
    /// Null: there is none any more.
    Clear,
    /// It is this.
    To(u32),
}

impl LimitChange {
    pub(super) fn over(self, base: Option<u32>) -> Option<u32> {
        match self {
            Self::Keep => base,
            Self::Clear => None,
            Self::To(limit) => Some(limit),
        }
    }
}

impl Shape for LimitChange {
    const OPTIONAL: bool = true;

    fn schema() -> MetaSchemaRef {
        Option::<u32>::schema()
    }
}

impl Field for LimitChange {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        Ok(Option::read(json)?.map_or(Self::Clear, Self::To))
    }

    fn absent() -> Option<Self> {
        Some(Self::Keep)
    }
}

/// Plain variables.
#[derive(Debug)]
pub(crate) struct Env(pub(super) Variables);

impl Shape for Env {
    fn schema() -> MetaSchemaRef {
        inline(texts_by_name(MetaSchema::new("string")))
    }
}

impl Field for Env {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let variables: Vec<(VariableName, String)> = read_variables(json, |value| value)?;
        Ok(Self(variables.into_iter().collect()))
    }
}

/// Values of secrets by name; null takes one away.
#[derive(Debug)]
pub(crate) struct SecretValues(pub(super) Vec<(VariableName, Option<Secret>)>);

impl Shape for SecretValues {
    fn schema() -> MetaSchemaRef {
        let value =
            MetaSchema { nullable: true, ..MetaSchema::new_with_format("string", "password") };
        inline(texts_by_name(value))
    }
}

impl Field for SecretValues {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        read_variables(json, |value: Option<String>| value.map(Secret::new)).map(Self)
    }
}

fn texts_by_name(value: MetaSchema) -> MetaSchema {
    MetaSchema {
        additional_properties: Some(Box::new(inline(value))),
        max_properties: Some(MAX_VARIABLES),
        ..MetaSchema::new("object")
    }
}

/// A value as the body has it, which never gets into a message.
trait Value: for<'de> serde::Deserialize<'de> {
    fn text(&self) -> &str;
}

impl Value for String {
    fn text(&self) -> &str {
        self
    }
}

impl Value for Option<String> {
    fn text(&self) -> &str {
        self.as_deref().unwrap_or_default()
    }
}

fn read_variables<V: Value, T>(
    json: &RawValue,
    keep: impl Fn(V) -> T,
) -> Result<Vec<(VariableName, T)>, Refusal> {
    let Members(members) = serde_json::from_str::<Members<V>>(json.get())
        .map_err(|_| Refusal::invalid("must be an object of texts by name"))?;
    check_size(&members)?;
    let mut variables: Vec<(VariableName, T)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        let shown: String = name.chars().take(64).collect();
        let refuse = |why: &str| Refusal::Invalid(format!("hold '{shown}', which {why}"));
        let name: VariableName = name.parse().map_err(|error| refuse(&format!("{error}")))?;
        if variables.iter().any(|(earlier, _)| *earlier == name) {
            return Err(refuse("is given more than once"));
        }
        if value.text().len() > MAX_VALUE_BYTES {
            return Err(refuse(&format!("is longer than {MAX_VALUE_BYTES} bytes")));
        }
        if value.text().contains('\0') {
            return Err(refuse("holds a NUL, which no environment can"));
        }
        variables.push((name, keep(value)));
    }
    Ok(variables)
}

fn check_size<V: Value>(members: &[(String, V)]) -> Result<(), Refusal> {
    let found = members.len();
    if found > MAX_VARIABLES {
        return Err(Refusal::Invalid(format!("are {found}; at most {MAX_VARIABLES} are allowed")));
    }
    let bytes: usize = members.iter().map(|(name, value)| name.len() + value.text().len()).sum();
    if bytes > MAX_VARIABLES_BYTES {
        return Err(Refusal::Invalid(format!(
            "are {bytes} bytes, names and values together; at most {MAX_VARIABLES_BYTES} are allowed"
        )));
    }
    Ok(())
}

/// A time in seconds, with fractions down to a millisecond.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seconds(Duration);

impl Seconds {
    /// A day: an async call that waits longer is a schedule.
    const MAX: f64 = 86_400.0;
}

impl Shape for Seconds {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            minimum: Some(0.0),
            maximum: Some(Self::MAX),
            ..MetaSchema::new("number")
        })
    }
}

impl Field for Seconds {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let seconds = number(json, 0.0, Self::MAX, " seconds")?;
        Ok(Self(Duration::from_millis((seconds * 1000.0).round() as u64)))
    }
}

/// By how much a delay grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Factor(f64);

impl Factor {
    const MAX: f64 = 10.0;
}

impl Shape for Factor {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(Self::MAX),
            ..MetaSchema::new("number")
        })
    }
}

impl Field for Factor {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        number(json, 1.0, Self::MAX, "").map(Self)
    }
}

fn number(json: &RawValue, least: f64, most: f64, unit: &str) -> Result<f64, Refusal> {
    let found = json.get();
    match found.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => {
            let found: String = found.chars().take(32).collect();
            Err(Refusal::Invalid(format!(
                "must be a number from {least} to {most}{unit}, found {found}"
            )))
        }
    }
}

/// Most attempts after the first.
const MAX_RETRIES: u32 = 100;

body! {
    /// How a failed async call is tried again. What is left out stays as it is.
    NewRetry [|_| 0] {
        /// Attempts after the first, at most 100.
        max_retries: Option<u32> = 3,
        /// Seconds before the second attempt.
        initial_delay: Option<Seconds> = 1.0,
        /// Seconds that no delay is longer than.
        max_delay: Option<Seconds> = 60.0,
        /// By how much each delay is longer than the one before.
        backoff_factor: Option<Factor> = 2.0,
    }
}

impl NewRetry {
    /// With what was not said taken from `base`; Err says what does not fit together.
    pub(super) fn over(self, base: RetryPolicy) -> Result<RetryPolicy, String> {
        let max_retries = self.max_retries.unwrap_or(base.max_retries.into());
        let policy = RetryPolicy {
            max_retries: u16::try_from(max_retries).unwrap_or(u16::MAX),
            initial_delay: self.initial_delay.map_or(base.initial_delay, |it| it.0),
            max_delay: self.max_delay.map_or(base.max_delay, |it| it.0),
            backoff_factor: self.backoff_factor.map_or(base.backoff_factor, |it| it.0),
        };
        if max_retries > MAX_RETRIES {
            return Err(format!(
                "has {max_retries} as max_retries; at most {MAX_RETRIES} are allowed"
            ));
        }
        if policy.max_delay < policy.initial_delay {
            let (most, first) =
                (policy.max_delay.as_secs_f64(), policy.initial_delay.as_secs_f64());
            return Err(format!(
                "has a max_delay of {most} s, below its initial_delay of {first} s"
            ));
        }
        Ok(policy)
    }
}

/// A body inside another.
impl Field for NewRetry {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let mut fields = Fields::parse(json.get().as_bytes())
            .map_err(|_| Refusal::invalid("must be an object"))?;
        fields.refuse_unknown(<Self as Body>::FIELDS);
        let value = <Self as Body>::read(&mut fields);
        let wrong: Vec<_> =
            fields.errors.iter().map(|it| format!("'{}' {}", it.field, it.message)).collect();
        match value {
            Some(value) if wrong.is_empty() => Ok(value),
            _ => Err(Refusal::Invalid(format!("cannot be taken: {}", wrong.join("; ")))),
        }
    }
}

view! {
    /// How a failed async call is tried again.
    Retry {
        /// Attempts after the first.
        max_retries: u32 = 3,
        /// Seconds before the second attempt.
        initial_delay: f64 = 1.0,
        /// Seconds that no delay is longer than.
        max_delay: f64 = 60.0,
        /// By how much each delay is longer than the one before.
        backoff_factor: f64 = 2.0,
    }
}

impl From<RetryPolicy> for Retry {
    fn from(policy: RetryPolicy) -> Self {
        Self {
            max_retries: policy.max_retries.into(),
            initial_delay: policy.initial_delay.as_secs_f64(),
            max_delay: policy.max_delay.as_secs_f64(),
            backoff_factor: policy.backoff_factor,
        }
    }
}
