//! POST /auth/refresh

use std::time::Instant;

use shared::store::{
    audit, commit,
    session::{self, Refreshed},
};
use time::OffsetDateTime;

use super::{
    Origin,
    views::{RefreshToken, TokenPair},
};
use crate::{ApiState, answer::Okay, problem::Problem};

pub(super) async fn refresh(
    state: &ApiState,
    origin: &Origin,
    given: RefreshToken,
) -> Result<Okay<TokenPair>, Problem> {
    let refused =
        || Problem::unauthenticated("the refresh token is not valid, or no longer; log in again");
    let token = given.refresh_token.expose();
    let (id, generation) = state.tokens.check_refresh(token).ok_or_else(refused)?;
    let arrived_at = Instant::now();
    let mut tx = state.db.begin().await?;
    let tolerance = arrived_at.elapsed() + state.config.refresh_grace;
    let refreshed = session::refresh(&mut tx, id, generation, tolerance).await?;
    if let Refreshed::Reused(session) = refreshed {
        audit::record(&mut tx, origin.deed(session.actor, "session.reuse", id.0)).await?;
    }
    commit(tx).await?;
    match refreshed {
        Refreshed::Session(session) => {
            Ok(Okay::new(state.tokens.pair(session, OffsetDateTime::now_utc())?))
        }
        Refreshed::Reused(_) | Refreshed::Ended => Err(refused()),
    }
}
