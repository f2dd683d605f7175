//! All SQL of the product's tables, one file per table family. Every statement that changes a
//! state names the state it expects.

pub mod build;
mod db;
pub mod execution;

pub use db::{Db, StoreError, Tx};
