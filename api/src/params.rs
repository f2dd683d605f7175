//! Parameters of path and query. A malformed one is a bad request that names it; an id of another
//! kind names nothing here.

use std::time::Duration;

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
};
use shared::domain::{FunctionStatus, IdCursor, LogCursor, PageSize, ProjectId};

use crate::{
    query,
    resource::Resource,
    shape::{Refusal, Shape, inline},
};

/// An id in the path. (poem-openapi knows path parameters by a type of this name.)
pub(crate) struct Path<T>(pub(crate) T);

impl<'a, T: Resource> ApiExtractor<'a> for Path<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Path)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema())
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        let text = request.raw_path_param(options.name).unwrap_or_default();
        // poem-openapi numbers path parameters; their documented names are the nouns.
        let name = || format!("{}_id", T::NOUN);
        Ok(T::read_id(text).map(Self).map_err(|refusal| refusal.problem(&name()))?)
    }
}

/// A value that can stand in a query.
pub(crate) trait Parameter: Shape + Send {
    /// Reads it from its text.
    fn parse(text: &str) -> Result<Self, Refusal>
    where
        Self: Sized;
}

impl Parameter for ProjectId {
    fn parse(text: &str) -> Result<Self, Refusal> {
        Self::read_id(text)
    }
}

macro_rules! parameters {
    ($($type:ty),+) => {
        $(impl Parameter for $type {
            fn parse(text: &str) -> Result<Self, Refusal> {
                text.parse().map_err(Refusal::invalid)
            }
        })+
    };
}

parameters!(FunctionStatus, IdCursor, LogCursor, PageSize);

/// How long a request may wait for an execution to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl Wait {
    /// Proxies cut connections that stay silent for longer.
    const MAX: Duration = Duration::from_secs(60);
}

impl Shape for Wait {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            pattern: Some("^[0-9]{1,6}(ms|s)$".to_owned()),
            ..MetaSchema::new("string")
        })
    }
}

impl Parameter for Wait {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let malformed = || {
            Refusal::Invalid("must be a whole number with a unit, as in '500ms' or '20s'".into())
        };
        let (digits, unit_ms) = match text.strip_suffix("ms") {
            Some(digits) => (digits, 1),
            None => (text.strip_suffix('s').ok_or_else(malformed)?, 1000),
        };
        let amount: u32 = digits.parse().map_err(|_| malformed())?;
        let wait = Duration::from_millis(u64::from(amount) * unit_ms);
        match wait <= Self::MAX {
            true => Ok(Self(wait)),
            false => Err(Refusal::Invalid(format!("is {text}; at most 60s are allowed"))),
        }
    }
}

/// An optional parameter of the query; `query::check` has seen that it is given once.
pub(crate) struct Query<T>(pub(crate) Option<T>);

impl<'a, T: Parameter> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema())
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        let query = query::read(request)?;
        let Some((name, text)) = query.iter().find(|(name, _)| name == options.name) else {
            return Ok(Self(None));
        };
        let value = T::parse(text).map_err(|refusal| refusal.problem(name))?;
        Ok(Self(Some(value)))
    }
}
