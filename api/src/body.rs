//! Request bodies: bounded in size and time, parsed once into a value that is valid by
//! construction, refused with everything that is wrong at once.

use poem::{Request, RequestBody, Result, error::ReadBodyError, http::header};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, Registry},
};
use serde_json::error::Category;
use shared::domain::ErrorCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    ApiState,
    content_type::ContentType,
    door::Visit,
    problem::Problem,
    shape::{Body, Fields},
};

/// Most bytes of a body of names, addresses and tokens: they are short, whatever the configuration.
pub(crate) const SHORT_BYTES: usize = 16 * 1024;

/// The body of a request, as JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<'a, T: Body + Send> ApiExtractor<'a> for Json<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: T::schema() }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        require_json(request)?;
        let max_bytes = T::max_bytes(&ApiState::of(request)?.config.functions.payloads);
        let bytes = read(request, body, max_bytes).await?;
        Ok(Self(parse(&bytes)?))
    }
}

fn require_json(request: &Request) -> Result<(), Problem> {
    let message = match ContentType::of(request) {
        ContentType::Json => return Ok(()),
        ContentType::Missing => "the request has no content-type; send application/json",
        ContentType::Form { .. } | ContentType::Other => {
            "the content-type is not read here; send application/json"
        }
    };
    Err(Problem::new(ErrorCode::UnsupportedMediaType, message))
}

/// Refuses by the announced length before reading, and by what really comes while reading. What is read
/// counts as held until the request ends.
pub(crate) async fn read(
    request: &Request,
    body: &mut RequestBody,
    max: usize,
) -> Result<Vec<u8>, Problem> {
    let announced = request.header(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > max) {
        return Err(too_large(max));
    }
    let body = body.take().map_err(|error| Problem::internal(error.to_string()))?;
    let room = Room::take(request, announced.unwrap_or(max))?;
    let patience = ApiState::of(request)?.config.patience.body;
    match tokio::time::timeout(patience, body.into_bytes_limit(max)).await {
        Ok(Ok(bytes)) => {
            room.keep(bytes.len());
            Ok(bytes.into())
        }
        Ok(Err(ReadBodyError::PayloadTooLarge)) => Err(too_large(max)),
        Ok(Err(_)) => Err(malformed("the body ended before its announced length")),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", patience.as_secs());
            Err(Problem::new(ErrorCode::RequestTimeout, message))
        }
    }
}

/// Room in memory for one body, out of what there is for all.
struct Room<'a> {
    visit: &'a Visit,
    /// None when the request has room already: it was read before, for its idempotency key.
    taken: Option<OwnedSemaphorePermit>,
}

impl<'a> Room<'a> {
    fn take(request: &'a Request, bytes: usize) -> Result<Self, Problem> {
        let (state, visit) = (ApiState::of(request)?, Visit::about(request)?);
        if visit.body.get().is_some() {
            return Ok(Self { visit, taken: None });
        }
        let bytes = bytes.min(state.config.max_body_bytes);
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let message = "this process holds as many bytes of requests as it can; try again";
        match state.body_bytes.clone().try_acquire_many_owned(wanted) {
            Ok(taken) => Ok(Self { visit, taken: Some(taken) }),
            Err(_) => Err(Problem::overloaded(message)),
        }
    }

    /// Gives back what was not needed, and the rest at the end of the request.
    fn keep(self, bytes: usize) {
        if let Some(mut taken) = self.taken {
            drop(taken.split(taken.num_permits().saturating_sub(bytes)));
            let _ = self.visit.body.set(taken);
        }
    }
}

pub(crate) fn parse<T: Body>(json: &[u8]) -> Result<T, Problem> {
    let mut fields = Fields::parse(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        malformed(match error.classify() {
            _ if json.is_empty() => "the body is empty; send a JSON object".to_owned(),
            Category::Data => "the body must be a JSON object".to_owned(),
            _ => format!("the body is not JSON: line {line}, column {column}"),
        })
    })?;
    fields.refuse_unknown(T::FIELDS);
    let value = T::read(&mut fields);
    match value {
        _ if !fields.errors.is_empty() => Err(Problem::invalid(&fields.errors)),
        Some(value) => Ok(value),
        // The only thing left that can be wrong: an id that names nothing here.
        None => Err(fields.not_found.unwrap_or_else(|| Problem::internal("a field went missing"))),
    }
}

pub(crate) fn malformed(message: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::ValidationFailed, message)
}

fn too_large(max_bytes: usize) -> Problem {
    let message = format!("the body is larger than the {max_bytes} bytes allowed here");
    Problem::new(ErrorCode::PayloadTooLarge, message).with("limit_bytes", max_bytes)
}
