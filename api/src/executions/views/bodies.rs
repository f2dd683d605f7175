//! What goes into calls.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::{Value, json, value::RawValue};
use shared::{
    config::PayloadLimits,
    domain::{CallbackUrl, JsonText},
};

use crate::shape::{Field, Refusal, Shape, Timestamp, body, inline};

body! {
    /// A call.
    InvokeFunction [PayloadLimits::call_body_bytes] {
        /// What the function is given: any JSON value, passed on byte for byte; `null` when left
        /// out.
        input: Option<JsonText> = json!({ "to": "ann@example.com" }),
    }
}

body! {
    /// A call that nobody waits for.
    InvokeLater [PayloadLimits::call_body_bytes] {
        /// What the function is given: any JSON value, passed on byte for byte; `null` when left
        /// out.
        input: Option<JsonText> = json!({ "to": "ann@example.com" }),
        /// Seconds to wait before it may start, 30 days at most.
        delay: Option<u32> = 60,
        /// Not to be started before this moment, 30 days ahead at most; instead of `delay`.
        run_at: Option<Timestamp> = Value::Null,
        /// Told how the call ended, by a signed POST.
        callback_url: Option<CallbackUrl> = "https://example.com/hooks/apprun",
    }
}

body! {
    /// Many calls that nobody waits for.
    InvokeBatch [PayloadLimits::batch_body_bytes] {
        /// What the function is given, one value for each call; 1 to 100 of them.
        inputs: Inputs = json!([{ "to": "ann@example.com" }, { "to": "bob@example.com" }]),
        /// Seconds to wait before they may start, 30 days at most.
        delay: Option<u32> = Value::Null,
        /// Not to be started before this moment, 30 days ahead at most; instead of `delay`.
        run_at: Option<Timestamp> = Value::Null,
        /// Told how each call ended, by a signed POST.
        callback_url: Option<CallbackUrl> = "https://example.com/hooks/apprun",
    }
}

/// The inputs of a batch.
#[derive(Debug)]
pub(crate) struct Inputs(pub(crate) Vec<JsonText>);

impl Inputs {
    const MAX: usize = 100;
}

impl Shape for Inputs {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            items: Some(Box::new(JsonText::schema())),
            min_items: Some(1),
            max_items: Some(Self::MAX),
            ..MetaSchema::new("array")
        })
    }
}

impl Field for Inputs {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let inputs: Vec<&RawValue> = serde_json::from_str(json.get())
            .map_err(|_| Refusal::invalid("must be an array of inputs"))?;
        match inputs.len() {
            0 => Err(Refusal::invalid("must not be empty")),
            1..=Self::MAX => Ok(Self(inputs.into_iter().map(JsonText::from).collect())),
            found => Err(Refusal::Invalid(format!(
                "has {found} inputs; at most {} are allowed at once",
                Self::MAX
            ))),
        }
    }
}
