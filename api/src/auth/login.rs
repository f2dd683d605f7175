//! POST /auth/login

use shared::store::{account, audit, commit, session};
use time::OffsetDateTime;

use super::{
    Origin,
    views::{Login, TokenPair},
};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn login(
    state: &ApiState,
    origin: &Origin,
    login: Login,
) -> Result<Okay<TokenPair>, Problem> {
    let known = account::credentials(&state.db, &login.email).await?;
    let (actor, hash) = known.map(|known| (known.actor, known.password_hash)).unzip();
    let right = state.hasher.verify(login.password, hash).await?;
    // One answer for both mistakes: which addresses have an account is nobody's business.
    let Some(actor) = actor.filter(|_| right) else {
        return Err(Problem::unauthenticated("the e-mail address or the password is wrong"));
    };
    let mut tx = state.db.begin().await?;
    let session = session::open(&mut tx, actor).await?;
    audit::record(&mut tx, origin.deed(actor, "session.open", session.id.0)).await?;
    commit(tx).await?;
    Ok(Okay::new(state.tokens.pair(session, OffsetDateTime::now_utc())?))
}
