//! What a request says its body is. Whoever reads the body decides what of that is taken.

use poem::Request;

/// As far as bodies are read here.
pub(crate) enum ContentType {
    Json,
    /// A multipart form; without a boundary, nobody can tell its parts apart.
    Form {
        boundary: Option<String>,
    },
    Other,
    Missing,
}

impl ContentType {
    pub(crate) fn of(request: &Request) -> Self {
        let given = request.content_type().unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/json") {
            Self::Json
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            let boundary = multer::parse_boundary(given).ok();
            Self::Form { boundary: boundary.filter(|text| !text.is_empty()) }
        } else if essence.is_empty() {
            Self::Missing
        } else {
            Self::Other
        }
    }
}
