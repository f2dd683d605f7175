//! The number of a function's version: 1, 2, 3, … in the order in which they were asked for.

use std::{fmt, str::FromStr};

/// Which version of a function; at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionNumber(i32);

impl VersionNumber {
    /// More than anybody will ever ask for, and nine digits say all of it.
    const MAX: i32 = 999_999_999;

    /// As rows hold it.
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Not the number of any version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be the number of a version, as in \"1\"")]
pub struct NotAVersion;

impl FromStr for VersionNumber {
    type Err = NotAVersion;

    /// Digits only, without leading zeros, so that one version has one spelling.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number: i32 = text.parse().map_err(|_| NotAVersion)?;
        let has_one_spelling = number.to_string() == text;
        let is_one = (1..=Self::MAX).contains(&number) && has_one_spelling;
        if is_one { Ok(Self(number)) } else { Err(NotAVersion) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_spelling() {
        assert_eq!("12".parse::<VersionNumber>().unwrap().to_string(), "12");
        for bad in ["", "0", "-1", "+1", "01", "1.0", "latest", "1000000000"] {
            assert_eq!(bad.parse::<VersionNumber>(), Err(NotAVersion), "{bad}");
        }
    }
}
