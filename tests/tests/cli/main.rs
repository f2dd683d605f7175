//! The commands for people, through the real binary against a real `apprun dev`.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod alone;
mod dependencies;
mod deploying;
mod failures;
mod following;
mod person;
mod sessions;
mod settings;
mod team;
mod trouble;
