//! The pages about the error codes, `docs/errors/`, served as they lie in the repository.

use poem::{IntoResponse, Response, Result, handler, http::StatusCode, web::Path};
use shared::domain::ErrorCode;

/// Where the page about a code is on this server.
pub(crate) fn page_path(code: ErrorCode) -> String {
    format!("/docs/errors/{code}")
}

macro_rules! pages {
    ($($code:ident: $file:literal),+ $(,)?) => {
        /// The page about a code, as Markdown.
        fn text(code: ErrorCode) -> &'static str {
            match code {
                $(ErrorCode::$code => include_str!(concat!("../../docs/errors/", $file, ".md")),)+
            }
        }
    };
}

pages! {
    FuncNotFound: "FUNC_NOT_FOUND",
    FuncCompileFailed: "FUNC_COMPILE_FAILED",
    FuncNotReady: "FUNC_NOT_READY",
    FuncExecTimeout: "FUNC_EXEC_TIMEOUT",
    FuncExecFailed: "FUNC_EXEC_FAILED",
    FuncQuotaExceeded: "FUNC_QUOTA_EXCEEDED",
    ValidationFailed: "VALIDATION_FAILED",
    Unauthenticated: "UNAUTHENTICATED",
    Forbidden: "FORBIDDEN",
    NotFound: "NOT_FOUND",
    MethodNotAllowed: "METHOD_NOT_ALLOWED",
    Conflict: "CONFLICT",
    IdempotencyKeyReused: "IDEMPOTENCY_KEY_REUSED",
    RequestTimeout: "REQUEST_TIMEOUT",
    UriTooLong: "URI_TOO_LONG",
    HeadersTooLarge: "HEADERS_TOO_LARGE",
    PayloadTooLarge: "PAYLOAD_TOO_LARGE",
    UnsupportedMediaType: "UNSUPPORTED_MEDIA_TYPE",
    RateLimited: "RATE_LIMITED",
    Overloaded: "OVERLOADED",
    Internal: "INTERNAL",
}

/// GET /docs/errors/{code}
#[handler]
pub(crate) fn page(code: Path<String>) -> Result<Response> {
    let code: ErrorCode =
        code.0.parse().map_err(|_| poem::Error::from_status(StatusCode::NOT_FOUND))?;
    let markdown = "text/markdown; charset=utf-8";
    Ok(text(code).with_content_type(markdown).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_about_its_own_code_and_shows_an_answer_with_it() {
        for code in ErrorCode::ALL {
            let markdown = text(*code);
            let title = format!("# {code} · {}\n", code.http_status());
            assert!(
                markdown.starts_with(&title),
                "{code} begins with {:?}",
                markdown.lines().next()
            );
            assert!(markdown.contains(&format!("\"code\": \"{code}\"")), "{code} shows no answer");
            assert!(markdown.contains("## What to do"), "{code} does not say what to do");
        }
    }

    #[test]
    fn no_page_is_about_a_code_that_is_gone() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors");
        for entry in std::fs::read_dir(directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let code = name.strip_suffix(".md").unwrap_or(&name);
            assert!(code.parse::<ErrorCode>().is_ok(), "{name} is about nothing");
        }
    }
}
