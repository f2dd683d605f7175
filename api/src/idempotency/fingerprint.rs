//! What makes two requests the same: method, path, query and body.

use poem::Request;
use sha2::{Digest, Sha256};

use crate::content_type::ContentType;

/// sha256 over all of it.
pub(super) fn fingerprint(request: &Request, content: &[u8]) -> [u8; 32] {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(request.method().as_str().as_bytes());
    add(target.as_bytes());
    // A client that repeats a form draws a new boundary; the parts are what it sends.
    match ContentType::of(request) {
        ContentType::Form { boundary: Some(boundary) } => {
            between(content, boundary.as_bytes()).for_each(add);
        }
        _ => add(content),
    }
    hash.finalize().into()
}

/// The pieces of `text` between occurrences of `mark`.
fn between<'a>(text: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let rest = left?;
        match rest.windows(mark.len()).position(|window| window == mark) {
            Some(at) => {
                left = Some(&rest[at + mark.len()..]);
                Some(&rest[..at])
            }
            None => left.take(),
        }
    })
}

#[cfg(test)]
mod tests {
    use poem::http::Method;

    use super::*;

    #[test]
    fn a_form_is_the_same_whatever_its_boundary_and_wherever_that_is_named() {
        let sent = |kind: &str, content: &str| {
            let request = Request::builder().method(Method::POST).content_type(kind).finish();
            fingerprint(&request, content.as_bytes())
        };
        let first = sent("multipart/form-data; boundary=one", "--one\r\n\r\nx\r\n--one--");
        for kind in [
            "multipart/form-data; boundary=two",
            "multipart/form-data; charset=utf-8; boundary=two",
            "Multipart/Form-Data; Boundary=\"two\"",
        ] {
            assert_eq!(first, sent(kind, "--two\r\n\r\nx\r\n--two--"), "{kind}");
        }
        assert_ne!(first, sent("multipart/form-data; boundary=two", "--two\r\n\r\ny\r\n--two--"));
    }
}
