//! A JSON document kept as the text it came as: large integers, key order and escapes unchanged.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON document, byte for byte as somebody wrote it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JsonText(Box<RawValue>);

impl JsonText {
    /// The document `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// Takes a text that is one JSON document.
    pub fn parse(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl From<&RawValue> for JsonText {
    fn from(value: &RawValue) -> Self {
        Self(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_byte_for_byte() {
        let text = r#"{"b": 123456789012345678901234567890, "a": [1.10, "\u0000\ud83d"]}"#;
        let document = JsonText::parse(text.to_owned()).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }

    #[test]
    fn a_text_with_a_second_document_is_refused() {
        assert!(JsonText::parse("1 2".to_owned()).is_err());
    }
}
