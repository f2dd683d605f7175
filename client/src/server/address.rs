//! Where a server is: `http://host:port`, without a path.

use std::fmt;

use crate::failure::Failure;

/// What `apprun dev` listens on when nothing else is said.
const DEFAULT: &str = "http://127.0.0.1:8080";

/// The part of a URL in front of `/api/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(String);

impl Address {
    /// From what somebody typed, or a file remembers.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = || Failure::usage(format!("the server {text:?} is not http://… or https://…"));
        let url = reqwest::Url::parse(text).map_err(|_| refuse())?;
        let is_web = matches!(url.scheme(), "http" | "https");
        if !is_web || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse());
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Address {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn one_server_has_one_spelling() {
        for text in ["http://host:80/", "http://HOST", "http://host//"] {
            assert_eq!(Address::parse(text).unwrap().as_str(), "http://host", "{text}");
        }
        for bad in ["host:8080", "ftp://host", "", "http://host?x=1"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
