//! Requests, as the door saw them.

use std::time::Duration;

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::Label;
use crate::domain::ErrorCode;

const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Methods that are told apart; a client may invent others.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// What became of requests.
#[derive(Debug, Clone)]
pub struct Http {
    requests: Family<[(&'static str, String); 2], Counter>,
    durations: Family<[(&'static str, String); 1], Histogram>,
    errors: Family<[Label; 1], Counter>,
}

impl Http {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let new = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            errors: Family::default(),
        };
        let help = "Requests, by method and status; 499: its caller left before the answer";
        registry.register("apprun_http_requests", help, new.requests.clone());
        let help = "From a request's head to its answer, by handler";
        registry.register_with_unit(
            "apprun_http_request_duration",
            help,
            Unit::Seconds,
            new.durations.clone(),
        );
        let help = "Requests that were answered with an error, by its code";
        registry.register("apprun_http_errors", help, new.errors.clone());
        new
    }

    /// A request is answered with this error: whose fault it is, a status alone does not tell.
    pub fn failed(&self, code: ErrorCode) {
        self.errors.get_or_create(&[("code", code.as_str())]).inc();
    }

    /// A request was answered, or its caller left. `handler` is the path as the document spells it, never as the client
    /// did; None when there is nothing at that path.
    pub fn answered(&self, method: &str, handler: Option<&str>, status: u16, took: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let labels = [("method", method.to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
        let handler = handler.unwrap_or("none").to_owned();
        self.durations.get_or_create(&[("handler", handler)]).observe(took.as_secs_f64());
    }

    /// Something came that was no request, and was answered.
    pub fn unread(&self, status: u16) {
        let labels = [("method", "other".to_owned()), ("status", status.to_string())];
        self.requests.get_or_create(&labels).inc();
    }
}
