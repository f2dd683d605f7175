//! POST /auth/login

use shared::{
    domain::{Actor, ErrorCode, TenantId, UserId},
    store::{account, audit, commit, session},
};
use time::OffsetDateTime;

use super::{
    Origin, ticket,
    views::{Login, TokenPair},
};
use crate::{ApiState, answer::Okay, problem::Problem, resource::Resource};

pub(super) async fn login(
    state: &ApiState,
    origin: &Origin,
    login: Login,
) -> Result<Okay<TokenPair>, Problem> {
    let whose = ticket::sha256(&login.email.as_str().to_lowercase());
    state.limiter.password(origin.address(), whose).await?;
    let known = account::credentials(&state.db, &login.email).await?;
    let (user, hash) = known.map(|known| (known.user, known.password_hash)).unzip();
    let right = state.hasher.verify(login.password, hash).await?;
    // One answer for both mistakes: which addresses have an account is nobody's business.
    let Some(user) = user.filter(|_| right) else {
        return Err(Problem::unauthenticated("the e-mail address or the password is wrong"));
    };
    let actor = enter(state, user, login.tenant_id).await?;
    open_session(state, origin, actor).await
}

/// Somebody in the tenant they ask for, or in the first of theirs.
pub(super) async fn enter(
    state: &ApiState,
    user: UserId,
    wanted: Option<TenantId>,
) -> Result<Actor, Problem> {
    let memberships = account::memberships(&state.db, user).await?;
    let mut tenants = memberships.iter().map(|membership| membership.tenant);
    let tenant = match wanted {
        Some(wanted) => tenants.find(|tenant| *tenant == wanted).ok_or_else(TenantId::not_found)?,
        None => tenants.next().ok_or_else(|| {
            let message = "you have no role in any project; ask somebody to invite you";
            Problem::new(ErrorCode::Forbidden, message)
        })?,
    };
    Ok(Actor { user, tenant })
}

/// Tokens of a new session.
pub(super) async fn open_session(
    state: &ApiState,
    origin: &Origin,
    actor: Actor,
) -> Result<Okay<TokenPair>, Problem> {
    let mut tx = state.db.begin().await?;
    let session = session::open(&mut tx, actor).await?;
    audit::record(&mut tx, origin.deed(actor, "session.open", session.id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(state.tokens.pair(session, OffsetDateTime::now_utc())?))
}
