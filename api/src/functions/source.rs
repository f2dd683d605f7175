//! The source of a function as clients send it, four ways, and the one value that becomes of it.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::value::RawValue;
use shared::{
    config::PayloadLimits,
    domain::{Runtime, SourceBundle, SourceError, SourceLimits},
};
use tokio::sync::Semaphore;

use super::unpack::{UnpackError, unpack};
use crate::{
    problem::Problem,
    shape::{Field, FieldError, Members, Refusal, Shape, inline},
};

/// Archives unpacked at once: each may hold tens of megabytes and takes a core.
static UNPACKING: Semaphore = Semaphore::const_new(2);

/// A source as it was sent. At most one of the four is taken.
#[derive(Debug)]
pub(super) struct SentSource {
    pub(super) code: Option<String>,
    pub(super) code_base64: Option<String>,
    pub(super) files: Option<FileTexts>,
    /// From the multipart form.
    pub(super) archive: Option<Vec<u8>>,
}

impl SentSource {
    /// The source, valid and within its limits; None when none was sent.
    pub(super) async fn read(
        self,
        runtime: Runtime,
        payloads: &PayloadLimits,
    ) -> Result<Option<SourceBundle>, Problem> {
        self.refuse_several()?;
        let limits =
            SourceLimits { files: payloads.source_files, total_bytes: payloads.source_bytes };
        if let Some(code) = self.code {
            return one_file("code", runtime, code.into_bytes(), limits).map(Some);
        }
        if let Some(code) = self.code_base64 {
            let code = BASE64.decode(code).map_err(|error| {
                Problem::invalid_field("code_base64", format!("is not standard base64: {error}"))
            })?;
            return one_file("code_base64", runtime, code, limits).map(Some);
        }
        if let Some(FileTexts(files)) = self.files {
            let files = files.into_iter().map(|(path, text)| (path, text.into_bytes()));
            return bundle("files", files, limits).map(Some);
        }
        match self.archive {
            Some(archive) => from_archive(archive, payloads).await.map(Some),
            None => Ok(None),
        }
    }

    fn refuse_several(&self) -> Result<(), Problem> {
        let sent = [
            ("code", self.code.is_some()),
            ("code_base64", self.code_base64.is_some()),
            ("files", self.files.is_some()),
            ("source", self.archive.is_some()),
        ];
        let sent: Vec<_> = sent.iter().filter(|(_, is_sent)| *is_sent).collect();
        let [(first, _), others @ ..] = sent.as_slice() else { return Ok(()) };
        if others.is_empty() {
            return Ok(());
        }
        let wrong: Vec<_> = others
            .iter()
            .map(|(field, _)| FieldError {
                field: (*field).to_owned(),
                message: format!("is a second source beside '{first}': send one"),
            })
            .collect();
        Err(Problem::invalid(&wrong))
    }
}

/// What a create without a source is told.
pub(super) fn missing() -> Problem {
    let others = "'code_base64', 'files', or a zip archive as part of a multipart form";
    Problem::invalid_field("code", format!("is required; or send {others}"))
}

/// What a change to another language without a source is told.
pub(super) fn missing_in(before: Runtime) -> Problem {
    let message = format!("is required with another language: the source is written in {before}");
    Problem::invalid_field("code", message)
}

fn one_file(
    field: &str,
    runtime: Runtime,
    code: Vec<u8>,
    limits: SourceLimits,
) -> Result<SourceBundle, Problem> {
    if code.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::invalid_field(field, "must not be empty"));
    }
    bundle(field, [(runtime.default_file_name().to_owned(), code)], limits)
}

fn bundle(
    field: &str,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
    limits: SourceLimits,
) -> Result<SourceBundle, Problem> {
    SourceBundle::from_files(files, limits).map_err(|error| refused(field, &error))
}

fn refused(field: &str, error: &SourceError) -> Problem {
    match *error {
        SourceError::TooLarge { bytes, max_bytes } => {
            Problem::field_too_large(field, bytes, max_bytes)
        }
        _ => Problem::invalid_field(field, format!("cannot be taken: {error}")),
    }
}

/// Unpacking takes up to a second of a core, so it has threads of its own.
async fn from_archive(archive: Vec<u8>, payloads: &PayloadLimits) -> Result<SourceBundle, Problem> {
    let limits =
        SourceLimits { files: payloads.source_files, total_bytes: payloads.unpacked_bytes };
    let _permit =
        UNPACKING.acquire().await.map_err(|_| Problem::internal("unpacking has ended"))?;
    let unpacking = tokio::task::spawn_blocking(move || {
        let files = unpack(&archive, limits)?;
        Ok(SourceBundle::from_files(files, limits)?)
    });
    let unpacked = unpacking.await.map_err(|panic| Problem::internal(panic.to_string()))?;
    unpacked.map_err(|error: UnpackError| match error {
        UnpackError::Source(error) => refused("source", &error),
        error => Problem::invalid_field("source", error),
    })
}

/// Files as a JSON object, path to text. Kept as a list, so that a path named twice is noticed.
#[derive(Debug)]
pub(crate) struct FileTexts(Vec<(String, String)>);

impl Field for FileTexts {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let Members(files) = serde_json::from_str(json.get())
            .map_err(|_| Refusal::invalid("must be an object of texts by path"))?;
        Ok(Self(files))
    }
}

impl Shape for FileTexts {
    fn schema() -> MetaSchemaRef {
        let text = inline(MetaSchema::new("string"));
        inline(MetaSchema {
            additional_properties: Some(Box::new(text)),
            ..MetaSchema::new("object")
        })
    }
}
