//! A server from outside: its address, who is asking, requests and answers.

mod address;
mod answer;
mod api;
mod busy;
mod credentials;
mod session;

pub(crate) use address::Address;
pub(crate) use answer::{Answer, Refusal};
pub(crate) use api::{Api, Body, LONG};
pub(crate) use credentials::{Credentials, Login, SavedProject};
pub(crate) use session::{Session, Tokens};
