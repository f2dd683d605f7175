//! A moment, as RFC 3339 text in UTC.

use std::str::FromStr;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;
use serde_json::value::RawValue;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339, macros::datetime};

use super::{Field, Refusal, Shape, inline};
use crate::params::Parameter;

/// A moment in UTC, `2025-12-26T10:00:00Z`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

/// The last moment that has four digits for its year.
const LAST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

impl Timestamp {
    /// The moment itself.
    pub(crate) fn moment(self) -> OffsetDateTime {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
            Refusal::invalid("must be a moment as RFC 3339 writes it, '2025-12-26T10:00:00Z'")
        })?;
        // Ids and rows hold no moment before 1970; what is asked for then is what came first.
        let moment = moment.checked_to_offset(UtcOffset::UTC).unwrap_or(LAST);
        Ok(Self(moment.clamp(OffsetDateTime::UNIX_EPOCH, LAST)))
    }
}

impl Field for Timestamp {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        String::read(json)?.parse()
    }
}

impl Parameter for Timestamp {
    fn parse(text: &str) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Self {
        Self(moment)
    }
}

impl Shape for Timestamp {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema::new_with_format("string", "date-time"))
    }
}
