//! Bodies that may bring a zip archive along: plain JSON, or a multipart form of two parts.

use std::io;

use futures_util::stream;
use multer::{Field, Multipart};
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaMediaType, MetaRequest, MetaSchema, Registry},
};
use serde_json::{Value, json};
use shared::domain::ErrorCode;

use crate::{
    ApiState,
    body::{malformed, parse, read},
    content_type::ContentType,
    problem::Problem,
    shape::{Body, Property, inline, object},
};

/// The part that holds the fields, as one JSON object.
const FIELDS_PART: &str = "function";
/// The fields of the JSON body that hold a source, whose place the archive takes.
const SOURCES: [&str; 3] = ["code", "code_base64", "files"];
/// The part that holds the archive.
const ARCHIVE_PART: &str = "source";
/// Boundaries and headers of the parts, with room to spare.
const AROUND_BYTES: usize = 16 * 1024;

/// The fields of a request, and the archive that came with them, packed as it is.
pub(crate) struct Upload<T> {
    pub(crate) fields: T,
    pub(crate) archive: Option<Vec<u8>>,
}

impl<'a, T: Body + Send> ApiExtractor<'a> for Upload<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let json = MetaMediaType { content_type: "application/json", schema: T::schema() };
        let form = MetaMediaType {
            content_type: "multipart/form-data",
            schema: inline(form_schema::<T>()),
        };
        Some(MetaRequest { description: None, content: vec![json, form], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let payloads = &ApiState::of(request)?.config.functions.payloads;
        let fields_bytes = T::max_bytes(payloads);
        match ContentType::of(request) {
            ContentType::Json => {
                let bytes = read(request, body, fields_bytes).await?;
                Ok(Self { fields: parse(&bytes)?, archive: None })
            }
            ContentType::Form { boundary } => {
                let boundary = boundary.ok_or_else(|| {
                    malformed("the content-type multipart/form-data names no boundary")
                })?;
                let max_bytes = fields_bytes + payloads.archive_bytes + AROUND_BYTES;
                let bytes = read(request, body, max_bytes).await?;
                let parts = Parts::read(bytes, boundary).await?;
                Ok(parts.into_upload(fields_bytes, payloads.archive_bytes)?)
            }
            ContentType::Missing => Err(unsupported("is missing").into()),
            ContentType::Other => Err(unsupported("is not read here").into()),
        }
    }
}

fn form_schema<T: Body>() -> MetaSchema {
    let archive = MetaSchema::new_with_format("string", "binary");
    let properties = vec![
        Property {
            name: FIELDS_PART,
            doc: "The other fields, as one JSON object.",
            schema: T::schema(),
            required: true,
        },
        Property {
            name: ARCHIVE_PART,
            doc: "The files of the source, as a zip archive.",
            schema: inline(archive),
            required: true,
        },
    ];
    object("A source of several files.", properties, form_example::<T>())
}

/// The fields of the JSON example, with an archive instead of its source.
fn form_example<T: Body>() -> Value {
    let mut fields = T::example();
    for source in SOURCES {
        fields.as_object_mut().and_then(|fields| fields.remove(source));
    }
    json!({ FIELDS_PART: fields, ARCHIVE_PART: "(the bytes of source.zip)" })
}

fn unsupported(found: &str) -> Problem {
    let message = format!("the content-type {found}; send application/json or multipart/form-data");
    Problem::new(ErrorCode::UnsupportedMediaType, message)
}

/// The two parts of a form, as they came.
#[derive(Default)]
struct Parts {
    fields: Option<Vec<u8>>,
    archive: Option<Vec<u8>>,
}

impl Parts {
    async fn read(body: Vec<u8>, boundary: String) -> Result<Self, Problem> {
        let body = stream::iter([Ok::<_, io::Error>(body)]);
        let mut form = Multipart::new(body, boundary);
        let mut parts = Self::default();
        while let Some(part) = form.next_field().await.map_err(not_a_form)? {
            parts.take(part).await?;
        }
        Ok(parts)
    }

    async fn take(&mut self, part: Field<'_>) -> Result<(), Problem> {
        let place = match part.name() {
            Some(FIELDS_PART) => &mut self.fields,
            Some(ARCHIVE_PART) => &mut self.archive,
            other => {
                let name: String = other.unwrap_or_default().chars().take(64).collect();
                let message =
                    format!("is not a known part; known are: {FIELDS_PART}, {ARCHIVE_PART}");
                return Err(Problem::invalid_field(&name, message));
            }
        };
        let name = part.name().unwrap_or_default().to_owned();
        let content = part.bytes().await.map_err(not_a_form)?;
        match place.replace(content.into()) {
            None => Ok(()),
            Some(_) => Err(Problem::invalid_field(&name, "was sent twice")),
        }
    }

    fn into_upload<T: Body>(
        self,
        max_fields_bytes: usize,
        max_archive_bytes: usize,
    ) -> Result<Upload<T>, Problem> {
        let missing = |part| Problem::invalid_field(part, "is required: the form has no such part");
        let fields = self.fields.ok_or_else(|| missing(FIELDS_PART))?;
        let archive = self.archive.ok_or_else(|| missing(ARCHIVE_PART))?;
        within(FIELDS_PART, fields.len(), max_fields_bytes)?;
        within(ARCHIVE_PART, archive.len(), max_archive_bytes)?;
        Ok(Upload { fields: parse(&fields)?, archive: Some(archive) })
    }
}

fn within(part: &str, bytes: usize, max_bytes: usize) -> Result<(), Problem> {
    if bytes > max_bytes {
        return Err(Problem::field_too_large(part, bytes, max_bytes));
    }
    Ok(())
}

fn not_a_form(error: multer::Error) -> Problem {
    malformed(format!("the body is not the form that its content-type says: {error}"))
}
