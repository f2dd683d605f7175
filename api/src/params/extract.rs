//! Where parameters come from: the types that handlers name.

use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaParamIn, MetaSchemaRef},
};

use shared::domain::VersionNumber;

use super::Parameter;
use crate::{
    problem::Problem,
    query,
    resource::Resource,
    shape::{Refusal, Shape},
};

/// A part of the path. (poem-openapi knows path parameters by a type of this name.)
pub(crate) struct Path<T>(pub(crate) T);

/// What can stand in a path.
pub(crate) trait PathPart: Shape + Send + Sized {
    /// What complaints call it: poem-openapi numbers path parameters, and their documented names
    /// are better.
    fn field() -> String;

    /// Reads it.
    fn read_part(text: &str) -> Result<Self, Refusal>;
}

impl<T: Resource> PathPart for T {
    fn field() -> String {
        format!("{}_id", T::NOUN)
    }

    fn read_part(text: &str) -> Result<Self, Refusal> {
        Self::read_id(text)
    }
}

impl PathPart for VersionNumber {
    fn field() -> String {
        "version".to_owned()
    }

    fn read_part(text: &str) -> Result<Self, Refusal> {
        text.parse().map_err(Refusal::invalid)
    }
}

impl<'a, T: PathPart> ApiExtractor<'a> for Path<T> {
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
        Ok(T::read_part(text).map(Self).map_err(|refusal| refusal.problem(&T::field()))?)
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
        Ok(Self(from_query(request, options.name)?))
    }
}

/// A parameter of the query that must be there.
pub(crate) struct Needed<T>(pub(crate) T);

impl<'a, T: Parameter> ApiExtractor<'a> for Needed<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    const PARAM_IS_REQUIRED: bool = true;
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
        let value = from_query(request, options.name)?;
        let missing = || Problem::invalid_field(options.name, "is required in the query");
        Ok(Self(value.ok_or_else(missing)?))
    }
}

fn from_query<T: Parameter>(request: &Request, name: &str) -> Result<Option<T>, Problem> {
    let query = query::read(request)?;
    let given = query.iter().find(|(given, _)| given == name);
    given.map(|(_, text)| T::parse(text).map_err(|refusal| refusal.problem(name))).transpose()
}

/// An optional header.
pub(crate) struct Header<T>(pub(crate) Option<T>);

impl<'a, T: Parameter> ApiExtractor<'a> for Header<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema())
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        let given = request.header(options.name);
        let value = given.map(T::parse).transpose();
        Ok(Self(value.map_err(|refusal| refusal.problem(options.name))?))
    }
}
