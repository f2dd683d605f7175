//! What a process counts about its work, in the text that Prometheus reads. Names and labels are a
//! contract with people's dashboards, and every label has a bounded number of values: no tenant, no
//! path, no request in them.
//!
//! Rooms record what happened as it happens; how full things are is asked for at each scrape.

mod functions;
mod http;
mod queue;
mod scrape;
mod worker;

pub use self::{
    functions::Functions,
    http::Http,
    scrape::{Metrics, content_type},
    worker::{Busy, Worker},
};

type Label = (&'static str, &'static str);
