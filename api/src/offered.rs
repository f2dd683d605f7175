//! What each path offers: an answer that refuses a method names the others (RFC 9110, 15.5.6), and a
//! parameter that nobody reads is refused, because a filter with a mistyped name would show too much.

use poem_openapi::{
    OpenApi,
    registry::{MetaOperationParam, MetaParamIn},
};

/// One path of the document with its methods.
#[derive(Debug)]
struct Path {
    template: String,
    methods: Vec<Method>,
}

/// One method with the parameters of its query.
#[derive(Debug)]
struct Method {
    name: String,
    parameters: Vec<String>,
}

/// Everything that can be asked for.
#[derive(Debug, Default)]
pub(crate) struct Offered(Vec<Path>);

impl Offered {
    /// Everything that an API offers.
    pub(crate) fn by<T: OpenApi>(_: &T) -> Self {
        let mut paths: Vec<_> = T::meta()
            .into_iter()
            .flat_map(|api| api.paths)
            .map(|path| {
                let methods = path.operations.into_iter().map(|operation| {
                    let in_query = |it: &MetaOperationParam| it.in_type == MetaParamIn::Query;
                    let parameters = operation.params.into_iter().filter(in_query);
                    Method {
                        name: operation.method.to_string(),
                        parameters: parameters.map(|it| it.name).collect(),
                    }
                });
                Path { template: path.path, methods: methods.collect() }
            })
            .collect();
        // As the router does: a path that is spelled out goes before one with a parameter there.
        paths.sort_by_key(|path| path.template.matches('{').count());
        Self(paths)
    }

    /// The methods of a path, as the header `allow` lists them.
    pub(crate) fn methods(&self, path: &str) -> Option<String> {
        let names: Vec<_> = self.at(path)?.methods.iter().map(|it| it.name.as_str()).collect();
        Some(names.join(", "))
    }

    /// The parameters that a query may have; None when there is nothing at this path.
    pub(crate) fn parameters(&self, method: &str, path: &str) -> Option<&[String]> {
        let found = self.at(path)?.methods.iter().find(|it| it.name == method);
        found.map(|method| method.parameters.as_slice())
    }

    /// A path as the document spells it, with names for its parameters.
    pub(crate) fn template(&self, path: &str) -> Option<&str> {
        Some(self.at(path)?.template.as_str())
    }

    fn at(&self, path: &str) -> Option<&Path> {
        self.0.iter().find(|offered| matches(&offered.template, path))
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
