//! Texts that people choose: names, descriptions, addresses. Valid by construction, so nothing
//! behind the door asks again whether a name is empty, endless or full of control characters.

use std::{fmt, str::FromStr};

/// Why a text was refused; reads after the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Longer than the limit, in characters.
    #[error("is {found} characters long; at most {limit} are allowed")]
    TooLong {
        /// Most characters allowed.
        limit: usize,
        /// Characters given.
        found: usize,
    },
    /// Shorter than the limit, in characters.
    #[error("is {found} characters long; at least {limit} are needed")]
    TooShort {
        /// Fewest characters allowed.
        limit: usize,
        /// Characters given.
        found: usize,
    },
    /// Of the right length, and still not what it should be.
    #[error("{0}")]
    Form(&'static str),
}

/// Refuses a text that is empty or longer than `limit` characters.
pub fn check_length(text: &str, limit: usize) -> Result<(), TextError> {
    match text.chars().count() {
        0 => Err(TextError::Empty),
        found if found > limit => Err(TextError::TooLong { limit, found }),
        _ => Ok(()),
    }
}

macro_rules! text {
    ($(#[$meta:meta])* $name:ident, $max_chars:literal, $check:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// Most characters one can have.
            pub const MAX_CHARS: usize = $max_chars;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                $check(text, $max_chars)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// The name of a function: a label that fits into a path, a host name and a shell word.
    FunctionName, 63, label);
text!(
    /// The name of an event: words joined by dots, `user.registered` for example.
    EventName, 128, dotted);
text!(
    /// The name of a project, in any script.
    ProjectName, 100, one_line);
text!(
    /// What a project's token is for, in any script.
    TokenName, 100, one_line);
text!(
    /// What a person is called, in any script.
    PersonName, 100, one_line);
text!(
    /// What a function is for; may be empty and may have several lines.
    Description, 1000, prose);
text!(
    /// An e-mail address. Only what is certain is checked: whether mail arrives there, only mail
    /// can tell.
    Email, 254, address);

impl PersonName {
    /// For somebody who gave only an address: what stands before the `@`.
    pub fn from_mailbox(email: &Email) -> Self {
        let mailbox = email.0.rsplit_once('@').map_or(email.as_str(), |(mailbox, _)| mailbox);
        Self(mailbox.chars().take(Self::MAX_CHARS).collect())
    }

    /// For somebody of whom nothing is known but that they are somebody.
    pub fn unknown() -> Self {
        Self("somebody".to_owned())
    }
}

fn label(text: &str, limit: usize) -> Result<(), TextError> {
    check_length(text, limit)?;
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let edge = |c: char| c.is_ascii_alphanumeric();
    if text.chars().all(inside) && text.starts_with(edge) && text.ends_with(edge) {
        return Ok(());
    }
    Err(TextError::Form(
        "may hold only ASCII letters, digits, '-' and '_', and begins and ends with a letter or digit",
    ))
}

fn dotted(text: &str, limit: usize) -> Result<(), TextError> {
    check_length(text, limit)?;
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match text.split('.').all(|word| !word.is_empty() && word.chars().all(inside)) {
        true => Ok(()),
        false => Err(TextError::Form(
            "must be words of ASCII letters, digits, '-' and '_', joined by dots",
        )),
    }
}

fn one_line(text: &str, limit: usize) -> Result<(), TextError> {
    check_length(text, limit)?;
    if text.chars().any(char::is_control) {
        return Err(TextError::Form("must not contain control characters"));
    }
    if text.trim().len() != text.len() {
        return Err(TextError::Form("must not begin or end with white space"));
    }
    Ok(())
}

fn prose(text: &str, limit: usize) -> Result<(), TextError> {
    match check_length(text, limit) {
        Ok(()) | Err(TextError::Empty) => {}
        Err(error) => return Err(error),
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(TextError::Form("must not contain control characters other than line breaks"));
    }
    Ok(())
}

fn address(text: &str, limit: usize) -> Result<(), TextError> {
    const MALFORMED: TextError = TextError::Form("is not an e-mail address");
    check_length(text, limit)?;
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(MALFORMED);
    }
    let (mailbox, host) = text.rsplit_once('@').ok_or(MALFORMED)?;
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    match !mailbox.is_empty() && !mailbox.contains('@') && host.split('.').all(label) {
        true => Ok(()),
        false => Err(MALFORMED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_name_is_a_label() {
        for good in ["a", "send-email", "Send_Email2", &"x".repeat(63)] {
            assert!(good.parse::<FunctionName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a/b", "ä", "a\0b", &"x".repeat(64)] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_event_is_named_by_words_and_dots() {
        for good in ["a", "user.registered", "Order_2.paid-late"] {
            assert!(good.parse::<EventName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a.*", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<EventName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_names_limit_and_length() {
        let error = "x".repeat(64).parse::<FunctionName>().unwrap_err();
        assert_eq!(error.to_string(), "is 64 characters long; at most 63 are allowed");
    }

    #[test]
    fn names_of_people_and_projects_come_in_any_script() {
        for good in ["Zoë O'Hara", "項目", "a"] {
            assert!(good.parse::<ProjectName>().is_ok(), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\0"] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_description_may_be_empty_and_have_lines() {
        assert!("".parse::<Description>().is_ok());
        assert!("first\n\tsecond".parse::<Description>().is_ok());
        assert!("bell\u{7}".parse::<Description>().is_err());
    }

    #[test]
    fn a_mailbox_makes_a_name_of_bounded_length() {
        let name = |email: &str| PersonName::from_mailbox(&email.parse().unwrap());
        assert_eq!(name("ann@example.com").as_str(), "ann");
        assert_eq!(name(&format!("{}@b", "x".repeat(200))).as_str().len(), PersonName::MAX_CHARS);
    }

    #[test]
    fn an_address_has_a_mailbox_and_a_host() {
        for good in ["a@b", "ann.lee+x@example.co.uk", "ü@münchen.de"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b..c", "a@-b", "a@b\n"] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
    }
}
