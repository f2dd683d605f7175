//! Error codes of the API: the closed list that clients program against.

use super::text_enum::text_enum;

text_enum!(
    /// What went wrong, for programs. Each has a page in `docs/errors/`.
    ErrorCode {
        /// No such function for this caller.
        FuncNotFound = "FUNC_NOT_FOUND",
        /// The build failed; a build result, never the answer to create.
        FuncCompileFailed = "FUNC_COMPILE_FAILED",
        /// No version of the function serves yet.
        FuncNotReady = "FUNC_NOT_READY",
        /// A sync call ran into its time limit.
        FuncExecTimeout = "FUNC_EXEC_TIMEOUT",
        /// A sync call failed; `details.reason` says how.
        FuncExecFailed = "FUNC_EXEC_FAILED",
        /// A limit of the plan.
        FuncQuotaExceeded = "FUNC_QUOTA_EXCEEDED",
        /// A malformed request, one entry per field.
        ValidationFailed = "VALIDATION_FAILED",
        /// No valid token.
        Unauthenticated = "UNAUTHENTICATED",
        /// A valid token that may not do this.
        Forbidden = "FORBIDDEN",
        /// Nothing here for this caller.
        NotFound = "NOT_FOUND",
        /// The path exists, the method does not.
        MethodNotAllowed = "METHOD_NOT_ALLOWED",
        /// Something is already so.
        Conflict = "CONFLICT",
        /// The idempotency key belongs to another request.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// The request did not arrive in time.
        RequestTimeout = "REQUEST_TIMEOUT",
        /// The first line of the request is too long.
        UriTooLong = "URI_TOO_LONG",
        /// The headers of the request are too large.
        HeadersTooLarge = "HEADERS_TOO_LARGE",
        /// The body is too large.
        PayloadTooLarge = "PAYLOAD_TOO_LARGE",
        /// The body is of a type that is not read here.
        UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE",
        /// Too many requests.
        RateLimited = "RATE_LIMITED",
        /// The platform is full, or not ready; try again.
        Overloaded = "OVERLOADED",
        /// Trouble on our side; the request id leads to it in the log.
        Internal = "INTERNAL",
    }
);

impl ErrorCode {
    /// The HTTP status this code answers with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::ValidationFailed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::FuncNotFound | Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::FuncNotReady | Self::Conflict => 409,
            Self::RequestTimeout => 408,
            Self::PayloadTooLarge => 413,
            Self::UriTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::IdempotencyKeyReused => 422,
            Self::FuncQuotaExceeded | Self::RateLimited => 429,
            Self::HeadersTooLarge => 431,
            Self::FuncCompileFailed | Self::FuncExecFailed | Self::Internal => 500,
            Self::Overloaded => 503,
            Self::FuncExecTimeout => 504,
        }
    }
}
