//! The envelope of every answer. Its text is kept as it came, so that whoever asked for it gets the
//! server's own bytes, numbers of any size included.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, value::RawValue};

use super::Address;
use crate::failure::{
    EXIT_FUNCTION, EXIT_NOT_ALLOWED, EXIT_NOT_FOUND, EXIT_SERVER, EXIT_USAGE, Failure,
};

/// An answer that says yes.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The whole envelope.
    pub(crate) envelope: String,
    /// Leads to the server's log.
    pub(crate) request_id: Option<String>,
    data: Box<RawValue>,
    server: Address,
}

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The whole envelope.
    pub(crate) envelope: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// What went wrong, for programs.
    pub(crate) code: String,
    /// What went wrong, for people.
    pub(crate) message: String,
    /// What the code stands for, as data.
    pub(crate) details: Map<String, Value>,
    /// Leads to the server's log.
    pub(crate) request_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    success: bool,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    error: Option<ErrorBody>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
    message: String,
    #[serde(default)]
    details: Map<String, Value>,
}

impl Answer {
    /// Takes an HTTP answer apart: the data, or why there is none.
    pub(super) fn read(server: &Address, status: u16, body: &[u8]) -> Result<Self, Failure> {
        let stranger = || Failure::Stranger { server: server.to_string(), status };
        let text = std::str::from_utf8(body).map_err(|_| stranger())?;
        let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|_| stranger())?;
        if let Some(data) = envelope.data.filter(|_| envelope.success) {
            let (data, server) = (data.to_owned(), server.clone());
            let envelope_text = text.to_owned();
            return Ok(Self {
                envelope: envelope_text,
                request_id: envelope.request_id,
                data,
                server,
            });
        }
        let error = envelope.error.ok_or_else(stranger)?;
        Err(Failure::Refused(Box::new(Refusal {
            envelope: text.to_owned(),
            status,
            code: error.code,
            message: error.message,
            details: error.details,
            request_id: envelope.request_id,
        })))
    }

    /// The data as a value of the client's own. A shape that does not fit is another version's.
    pub(crate) fn data<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.part(&self.data)
    }

    /// The same for a part of the data.
    pub(crate) fn part<T: DeserializeOwned>(&self, json: &RawValue) -> Result<T, Failure> {
        let strange = |_| Failure::Stranger { server: self.server.to_string(), status: 200 };
        serde_json::from_str(json.get()).map_err(strange)
    }
}

impl Refusal {
    /// Tells a script what to do next.
    pub(crate) fn exit_code(&self) -> u8 {
        match (self.status, self.code.as_str()) {
            (_, "FUNC_EXEC_FAILED" | "FUNC_EXEC_TIMEOUT" | "FUNC_COMPILE_FAILED") => EXIT_FUNCTION,
            (_, "FUNC_NOT_READY") => EXIT_FUNCTION,
            (401 | 403, _) => EXIT_NOT_ALLOWED,
            (404, _) => EXIT_NOT_FOUND,
            (429 | 500.., _) => EXIT_SERVER,
            _ => EXIT_USAGE,
        }
    }

    /// What to type next, where that is known.
    pub(crate) fn next(&self) -> Option<String> {
        let execution = || Some(self.details.get("execution_id")?.as_str()?.to_owned());
        match self.code.as_str() {
            "UNAUTHENTICATED" => Some("apprun login".to_owned()),
            "FUNC_EXEC_FAILED" | "FUNC_EXEC_TIMEOUT" => {
                execution().map(|id| format!("apprun executions get {id}"))
            }
            _ => None,
        }
    }

    /// Trouble on the server's side, which its log tells more about.
    pub(crate) fn is_theirs(&self) -> bool {
        self.exit_code() == EXIT_SERVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Answer, Failure> {
        Answer::read(&Address::default(), status, body.as_bytes())
    }

    fn refused(status: u16, code: &str) -> Failure {
        let body = format!(r#"{{"success":false,"error":{{"code":"{code}","message":"m"}}}}"#);
        read(status, &body).unwrap_err()
    }

    #[test]
    fn an_exit_code_says_whose_turn_it_is() {
        let cases = [
            (500, "FUNC_EXEC_FAILED", 1),
            (504, "FUNC_EXEC_TIMEOUT", 1),
            (409, "FUNC_NOT_READY", 1),
            (400, "VALIDATION_FAILED", 2),
            (409, "CONFLICT", 2),
            (413, "PAYLOAD_TOO_LARGE", 2),
            (401, "UNAUTHENTICATED", 3),
            (403, "FORBIDDEN", 3),
            (404, "FUNC_NOT_FOUND", 4),
            (429, "RATE_LIMITED", 5),
            (500, "INTERNAL", 5),
            (503, "OVERLOADED", 5),
        ];
        for (status, code, exit) in cases {
            assert_eq!(refused(status, code).exit_code(), exit, "{code}");
        }
    }

    #[test]
    fn an_envelope_is_kept_byte_for_byte() {
        let body = r#"{"success":true,"code":200,"data":{"n":123456789012345678901234567890, "x":1.10},"request_id":"req-1"}"#;
        let answer = read(200, body).unwrap();
        assert_eq!(answer.envelope, body);
        let data: Box<RawValue> = answer.data().unwrap();
        assert_eq!(data.get(), r#"{"n":123456789012345678901234567890, "x":1.10}"#);
    }

    #[test]
    fn what_is_no_envelope_comes_from_another_kind_of_server() {
        for body in ["<html>", "{}", "[]", r#"{"success":true}"#] {
            let failure = read(200, body).unwrap_err();
            assert!(matches!(failure, Failure::Stranger { status: 200, .. }), "{body}");
        }
    }
}
