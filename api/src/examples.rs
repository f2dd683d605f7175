//! The ids and the moment that the examples of the OpenAPI document tell of: one account with one
//! project, and what happened in it.

/// Whoever owns the tenant.
pub(crate) const USER: &str = "user-019b5a3c-0d41-7a52-9c3b-1f6d8e2a4b70";
/// Whoever writes and calls the function.
pub(crate) const DEVELOPER: &str = "user-019b5a3b-0a1b-7c2d-8e3f-4a5b6c7d8e9f";
pub(crate) const TENANT: &str = "ten-019b5a3c-0d42-7be1-8a90-6c1d2e3f4a5b";
pub(crate) const PROJECT: &str = "proj-019b5a3c-1a2b-7c3d-9e4f-5a6b7c8d9e0f";
pub(crate) const FUNCTION: &str = "func-019b5a3d-2b3c-7d4e-8f50-6a7b8c9d0e1f";
pub(crate) const BUILD: &str = "build-019b5a3d-2b3d-7a61-b0c2-7d8e9fa0b1c2";
pub(crate) const EXECUTION: &str = "exec-019b5a3e-4d5e-7f60-9a1b-8c2d3e4f5a6b";
pub(crate) const REQUEST: &str = "req-019b5a3c-7c00-7d11-b3f2-5d9f6a1c0e47";
pub(crate) const MOMENT: &str = "2025-12-26T10:00:00Z";
