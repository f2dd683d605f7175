//! A moment, as RFC 3339 text in UTC.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::Serialize;
use time::OffsetDateTime;

use super::{Shape, inline};

/// A moment in UTC, `2025-12-26T10:00:00Z`.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
pub(crate) struct Timestamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

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
