//! Which methods a path offers: an answer that refuses one names the others (RFC 9110, 15.5.6).

use poem_openapi::OpenApi;

/// Paths of the document with their methods.
#[derive(Debug, Default)]
pub(crate) struct Offered(Vec<(String, String)>);

impl Offered {
    /// Everything that an API offers.
    pub(crate) fn by<T: OpenApi>(_: &T) -> Self {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        let with_methods = paths.map(|path| {
            let methods: Vec<_> =
                path.operations.iter().map(|operation| operation.method.as_str()).collect();
            (path.path, methods.join(", "))
        });
        Self(with_methods.collect())
    }

    /// The methods of a path, as the header `allow` lists them.
    pub(crate) fn at(&self, path: &str) -> Option<&str> {
        let found = self.0.iter().find(|(template, _)| matches(template, path));
        found.map(|(_, methods)| methods.as_str())
    }
}

fn matches(template: &str, path: &str) -> bool {
    let same = |(part, wanted): (&str, &str)| wanted.starts_with('{') || part == wanted;
    path.split('/').count() == template.split('/').count()
        && path.split('/').zip(template.split('/')).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_for_one_segment() {
        assert!(matches("/a/{id}/b", "/a/1/b"));
        for other in ["/a/1", "/a/1/c", "/a/1/b/c", "/b/1/b"] {
            assert!(!matches("/a/{id}/b", other), "{other}");
        }
    }
}
