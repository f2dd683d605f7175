//! Closed lists of words: one declaration gives the type, its text in rows and JSON, and the way back.

/// A text that is none of the words of a closed list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {}; found '{found}'", expected.join(", "))]
pub struct UnknownWord {
    /// What was given.
    pub found: String,
    /// What would have been accepted.
    pub expected: &'static [&'static str],
}

/// Declares an enum whose variants are words, with `as_str`, `FromStr`, `Display` and serde.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[allow(missing_docs)] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of the list, in its order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word as rows and JSON hold it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err($crate::domain::UnknownWord {
                        found: $crate::domain::text_enum::shortened(other),
                        expected: &[$($text),+],
                    }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

/// At most 64 characters of a stranger's text, so that a message can never carry a megabyte.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
