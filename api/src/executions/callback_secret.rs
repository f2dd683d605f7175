//! POST /projects/{project_id}/callback-secret

use base64::{Engine, prelude::BASE64_STANDARD};
use shared::{
    domain::{ErrorCode, ProjectId},
    store::callback,
};

use super::views::CallbackSecret;
use crate::{
    ApiState, answer::Created, auth::Caller, conclude::conclude, permission::Action,
    problem::Problem, projects, shape::Timestamp,
};

/// How Standard Webhooks writes a secret.
const PREFIX: &str = "whsec_";

pub(super) async fn rotate(
    state: &ApiState,
    caller: &Caller,
    project: ProjectId,
) -> Result<Created<CallbackSecret>, Problem> {
    projects::find(state, caller, project, Action::ManageCallbackSecret).await?;
    let Some(keys) = &state.config.secret_keys else {
        let message = "this server has no key for secrets, so it cannot keep one for callbacks; its \
                       operator sets APPRUN_SECRET_KEY";
        return Err(Problem::new(ErrorCode::Conflict, message));
    };
    let secret: [u8; 32] = rand::random();
    let sealed = callback::seal(keys, project, &secret);
    let mut tx = state.db.begin_for(caller.actor.tenant).await?;
    let (created_at, previous_until) =
        callback::rotate_secret(&mut tx, caller.actor, project, &sealed).await?;
    let answer = Created::new(CallbackSecret {
        secret: format!("{PREFIX}{}", BASE64_STANDARD.encode(secret)),
        created_at: created_at.into(),
        previous_until: previous_until.map(Timestamp::from),
    });
    conclude(state, caller, tx, caller.deed("callback_secret.rotate", project.0), &answer).await?;
    Ok(answer)
}
