//! Which dead letters are meant, and what became of them.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::{Value, json, value::RawValue};
use shared::domain::{ExecutionId, FunctionId, Reason};

use crate::{
    examples::EXECUTION,
    resource::Resource,
    shape::{Field, Refusal, Shape, body, inline, view},
};

/// A hundred ids and what stands around them, with room to spare.
const MAX_BYTES: usize = 64 * 1024;

body! {
    /// Which dead letters of the project; all of them when nothing is said.
    DeadLetters [|_| MAX_BYTES] {
        /// These only, at most 100.
        execution_ids: Option<ExecutionIds> = json!([EXECUTION]),
        /// Of this function only.
        function_id: Option<FunctionId> = Value::Null,
        /// That ended so only.
        reason: Option<Reason> = "timeout",
        /// Changes nothing.
        dry_run: Option<bool> = true,
    }
}

/// Some executions.
#[derive(Debug)]
pub(crate) struct ExecutionIds(pub(crate) Vec<ExecutionId>);

impl ExecutionIds {
    pub(super) const MAX: usize = 100;
}

impl Shape for ExecutionIds {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            items: Some(Box::new(ExecutionId::schema())),
            max_items: Some(Self::MAX),
            ..MetaSchema::new("array")
        })
    }
}

impl Field for ExecutionIds {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let texts: Vec<String> = serde_json::from_str(json.get())
            .map_err(|_| Refusal::invalid("must be an array of ids of executions"))?;
        match texts.len() {
            0..=Self::MAX => {
                let ids = texts.iter().map(|text| ExecutionId::read_id(text));
                Ok(Self(ids.collect::<Result<_, _>>()?))
            }
            found => Err(Refusal::Invalid(format!(
                "has {found} ids; at most {} are allowed at once",
                Self::MAX
            ))),
        }
    }
}

view! {
    /// What became of dead letters.
    DealtWith {
        /// True when nothing was changed.
        dry_run: bool = false,
        /// How many match, those beyond the first 100 too.
        matched: u64 = 1,
        /// The dead letters that were, or would be, dealt with.
        dead_letters: Vec<ExecutionId> = [EXECUTION],
        /// Those that were left as they are: their function was deleted, their version was given up, or
        /// somebody else dealt with them at this moment.
        skipped: Vec<ExecutionId> = json!([]),
        /// The executions that repeat them, in the same order; empty when none were begun.
        executions: Vec<ExecutionId> = ["exec-019b5a40-1c2d-7e3f-8a4b-5c6d7e8f9a0b"],
    }
}
