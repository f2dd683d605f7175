//! Checks of a callback URL before a call is accepted, so that mistakes show at once and not in a log
//! of failed deliveries.

use shared::{
    domain::{CallbackUrl, ProjectId},
    store::{Tx, callback},
};

use crate::{ApiState, problem::Problem};

/// Refuses a URL that could never be called, and one whose messages nobody could check.
pub(super) async fn check(
    state: &ApiState,
    tx: &mut Tx,
    project: ProjectId,
    url: Option<&CallbackUrl>,
) -> Result<(), Problem> {
    let Some(url) = url else { return Ok(()) };
    let refuse = |message: String| Err(Problem::invalid_field("callback_url", message));
    let reach = &state.config.callback_reach;
    if let Some(address) = url.literal_address().filter(|it| !reach.includes(*it)) {
        return refuse(format!("names {address}, which callbacks may not reach"));
    }
    match callback::has_secret(tx, project).await? {
        true => Ok(()),
        false => refuse(format!(
            "needs a secret to sign with; make one with POST /api/v1/projects/{project}/callback-secret"
        )),
    }
}
