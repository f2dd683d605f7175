//! What makes two requests the same: method, path, query and body.

use poem::Request;
use sha2::{Digest, Sha256};

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
    match boundary(request) {
        Some(boundary) => between(content, boundary.as_bytes()).for_each(add),
        None => add(content),
    }
    hash.finalize().into()
}

fn boundary(request: &Request) -> Option<&str> {
    let (kind, parameters) = request.content_type()?.split_once(';')?;
    let is_form = kind.trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = parameters.trim().strip_prefix("boundary=").map(|text| text.trim_matches('"'));
    boundary.filter(|text| is_form && !text.is_empty())
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
