//! All SQL of the product's tables, one file per table family. Every statement that changes a
//! state names the state it expects.
//!
//! `build` and `execution` hold what a worker does with those rows, `build_report`, `call`,
//! `execution_report` and `log` what the API does.

pub mod account;
pub mod artifact;
pub mod audit;
mod autocommit;
pub mod build;
pub mod build_report;
pub mod call;
pub mod callback;
pub mod cancel;
mod db;
pub mod dead_letter;
pub mod deploy;
pub mod execution;
pub mod execution_report;
pub mod function;
pub mod function_numbers;
pub mod idempotency;
pub mod invitation;
mod lock;
pub mod log;
pub mod member;
mod migrate;
pub mod outsider;
mod pool;
pub mod project;
pub mod project_token;
pub mod rebuild;
pub mod retention;
pub mod retire;
pub mod secret;
pub mod session;
pub mod toolchain;
pub mod version;

pub use db::{Bounds, Connections, Db, StoreError, TxNumber, commit, commit_for_sure};
pub use lock::SessionLock;
pub use pool::Tx;
