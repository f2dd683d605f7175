//! The answers of handlers that succeed. The handler gives the data; the door adds the envelope.

use poem::{
    IntoResponse, Response,
    http::{HeaderName, StatusCode, header},
};
use poem_openapi::{
    ApiResponse,
    registry::{
        MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
    },
};
use serde::Serialize;
use serde_json::json;

use shared::{store::idempotency::KeptAnswer, telemetry::chain};

use crate::{
    examples::REQUEST,
    problem::Problem,
    shape::{Property, Shape, inline, object},
};

/// Data for the caller, answered with the HTTP status `STATUS`.
pub(crate) struct Answer<T, const STATUS: u16> {
    data: T,
    headers: Vec<(HeaderName, String)>,
}

/// 200.
pub(crate) type Okay<T> = Answer<T, 200>;
/// 201.
pub(crate) type Created<T> = Answer<T, 201>;
/// 202, with the place to look for the result.
pub(crate) type Accepted<T> = Answer<T, 202>;

impl<T, const STATUS: u16> Answer<T, STATUS> {
    pub(crate) fn new(data: T) -> Self {
        Self { data, headers: Vec::new() }
    }

    /// Says where what was created or accepted can be looked up.
    pub(crate) fn at(self, location: String) -> Self {
        self.header(header::LOCATION, location)
    }

    /// Adds a header; the value is one that a header can hold.
    pub(crate) fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl<T: Serialize, const STATUS: u16> Answer<T, STATUS> {
    /// As it is kept for who repeats the request.
    pub(crate) fn kept(&self) -> Result<KeptAnswer, Problem> {
        let header = |(name, value): &(HeaderName, String)| (name.to_string(), value.clone());
        Ok(KeptAnswer {
            status: STATUS,
            headers: self.headers.iter().map(header).collect(),
            answer: self.json()?,
        })
    }

    fn json(&self) -> Result<String, Problem> {
        serde_json::to_string(&self.data).map_err(|error| Problem::internal(chain(&error)))
    }
}

/// JSON text on its way to the door.
#[derive(Clone)]
pub(crate) struct Data(pub(crate) String);

impl<T: Serialize + Send, const STATUS: u16> IntoResponse for Answer<T, STATUS> {
    fn into_response(self) -> Response {
        let data = match self.json() {
            Ok(json) => Data(json),
            Err(problem) => return poem::Error::from(problem).into_response(),
        };
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        let mut response = Response::builder().status(status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.extension(data).finish()
    }
}

impl<T: Shape, const STATUS: u16> ApiResponse for Answer<T, STATUS> {
    fn meta() -> MetaResponses {
        let location = MetaHeader {
            name: "location".to_owned(),
            description: Some("Where to look it up".to_owned()),
            required: true,
            deprecated: false,
            schema: inline(MetaSchema::new("string")),
        };
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done",
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: envelope::<T>(STATUS),
                }],
                headers: if STATUS == 202 { vec![location] } else { vec![] },
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

fn envelope<T: Shape>(status: u16) -> MetaSchemaRef {
    let property =
        |name, doc, schema: MetaSchemaRef| Property { name, doc, schema, required: true };
    let example = json!({
        "success": true,
        "code": status,
        "data": T::example(),
        "request_id": REQUEST,
    });
    inline(object(
        "The envelope of every answer.",
        vec![
            property("success", "Always true.", bool::schema()),
            property("code", "The HTTP status.", u16::schema()),
            property("data", "What was asked for.", T::schema()),
            property("request_id", "Leads to the log.", String::schema()),
        ],
        example,
    ))
}

/// An answer without the envelope, for the one place whose shape is given by others' habits.
pub(crate) struct Bare<T>(pub(crate) T);

impl<T: Serialize + Send> IntoResponse for Bare<T> {
    fn into_response(self) -> Response {
        poem::web::Json(self.0).into_response()
    }
}

impl<T: Shape> ApiResponse for Bare<T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: T::schema(),
                }],
                headers: vec![],
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}
