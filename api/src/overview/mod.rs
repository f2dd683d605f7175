//! Overviews: what an id stands for, what a tenant uses of its plan, how full the queue is, and what
//! this server is.

mod info;
mod lookup;
mod queue;
mod usage;
mod views;

use poem_openapi::OpenApi;

use crate::{
    ApiState,
    answer::Okay,
    auth::Caller,
    params::{AnyId, Path},
    problem::Problem,
    routes::Chapter,
};

use views::{Info, Lookup, Queue, Usage, Workers};

/// The routes of this chapter.
pub(crate) struct Overview;

#[OpenApi(prefix_path = "/api/v1", tag = "Chapter::Operations")]
impl Overview {
    /// Find what an id stands for
    ///
    /// A project, a function, a version, a build, an execution; a request with the executions, builds
    /// and rows of the audit record that came with it; a user, the tenant, a project token or an
    /// invitation. What the caller may not see is not found.
    #[oai(path = "/lookup/:id", method = "get", operation_id = "lookup")]
    async fn lookup(
        &self,
        state: ApiState,
        caller: Caller,
        id: Path<AnyId>,
    ) -> Result<Okay<Lookup>, Problem> {
        lookup::lookup(&state, &caller, id.0).await
    }

    /// See what is used of the plan
    #[oai(path = "/usage", method = "get", operation_id = "getUsage")]
    async fn usage(&self, state: ApiState, caller: Caller) -> Result<Okay<Usage>, Problem> {
        usage::usage(&state, &caller).await
    }

    /// See what waits and runs
    ///
    /// The calls and builds of your tenant, by how urgent they are.
    #[oai(path = "/queue", method = "get", operation_id = "getQueue")]
    async fn queue(&self, state: ApiState, caller: Caller) -> Result<Okay<Queue>, Problem> {
        queue::queue(&state, &caller).await
    }

    /// List the workers
    ///
    /// Of the whole installation, with what each runs at this moment.
    #[oai(path = "/workers", method = "get", operation_id = "listWorkers")]
    async fn workers(&self, state: ApiState, caller: Caller) -> Result<Okay<Workers>, Problem> {
        queue::workers(&state, &caller).await
    }

    /// See what this server is
    #[oai(path = "/info", method = "get", operation_id = "getInfo")]
    async fn info(&self, state: ApiState, caller: Caller) -> Result<Okay<Info>, Problem> {
        info::info(&state, &caller).await
    }
}
