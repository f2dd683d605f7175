//! One file per kind of job, each in the same three steps: load, run, record.

mod carry_out;
mod compile;
mod error;
mod execute;
mod give_back;
mod log_lines;
mod lost_binary;
mod services;
mod trace;

pub(crate) use carry_out::carry_out;
pub(crate) use error::JobError;
pub(crate) use give_back::give_back_panicked;
pub(crate) use services::Services;
