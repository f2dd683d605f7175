//! Ids: a readable prefix and a time-ordered UUID, `func-0199…`. Rows hold the bare UUID.
//!
//! Parsing tells two mistakes apart, because callers get different answers for them: a well-formed
//! id of another kind names nothing here (404), a malformed one is a bad request (400).

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// Why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A well-formed id, of something else.
    #[error("the id is of another kind: expected the prefix '{expected}-'")]
    WrongKind {
        /// The prefix that belongs here, without the dash.
        expected: &'static str,
    },
    /// Not an id at all.
    #[error("must be '{expected}-' followed by a UUID")]
    Malformed {
        /// The prefix that belongs here, without the dash.
        expected: &'static str,
    },
}

/// Every prefix in use, so that "another kind" can be told from "no id at all".
const PREFIXES: &[&str] = &[
    "user", "ten", "proj", "func", "ver", "build", "exec", "req", "sess", "inv", "tok", "wf",
    "wfx", "evt",
];

fn parse(text: &str, expected: &'static str) -> Result<Uuid, IdError> {
    let malformed = IdError::Malformed { expected };
    let (prefix, rest) = text.split_once('-').ok_or(malformed.clone())?;
    // Only the hyphenated form: one thing, one spelling.
    let uuid = match rest.len() {
        36 => Uuid::try_parse(rest).map_err(|_| malformed.clone())?,
        _ => return Err(malformed),
    };
    match prefix {
        _ if prefix == expected => Ok(uuid),
        _ if PREFIXES.contains(&prefix) => Err(IdError::WrongKind { expected }),
        _ => Err(malformed),
    }
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What stands before the dash.
            pub const PREFIX: &str = $prefix;

            /// A fresh id; later ones sort after earlier ones.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }
    };
}

id!(
    /// A member of the platform.
    UserId, "user");
id!(
    /// Who pays, and has a plan.
    TenantId, "ten");
id!(
    /// The unit of ownership and roles.
    ProjectId, "proj");
id!(
    /// A function, over all of its versions.
    FunctionId, "func");
id!(
    /// One immutable version of a function.
    VersionId, "ver");
id!(
    /// One compile job and its log.
    BuildId, "build");
id!(
    /// One call of a function version.
    ExecutionId, "exec");
id!(
    /// One HTTP request, and everything it set off.
    RequestId, "req");
id!(
    /// One login.
    SessionId, "sess");
id!(
    /// A way into a project for somebody who is not in it yet.
    InvitationId, "inv");
id!(
    /// What a machine shows to act in a project.
    TokenId, "tok");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text() {
        let id = FunctionId::new();
        assert_eq!(id.to_string().parse::<FunctionId>(), Ok(id));
    }

    #[test]
    fn another_kind_is_told_from_a_malformed_id() {
        let project = ProjectId::new().to_string();
        assert_eq!(project.parse::<FunctionId>(), Err(IdError::WrongKind { expected: "func" }));
        for bad in ["", "func", "func-", "func-1", "x", "nope-0199a0b0-0000-7000-8000-000000000000"]
        {
            assert_eq!(
                bad.parse::<FunctionId>(),
                Err(IdError::Malformed { expected: "func" }),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let simple = format!("func-{}", Uuid::now_v7().simple());
        assert!(simple.parse::<FunctionId>().is_err());
    }

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let ids: Vec<_> = (0..100).map(|_| ExecutionId::new()).collect();
        assert!(ids.is_sorted());
    }
}
