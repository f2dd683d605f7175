//! Login sessions: opened by a login, carried on by rotating the refresh token, ended by a logout
//! or by the return of a token that was rotated away long ago.

use std::time::Duration;

use time::OffsetDateTime;

use super::{StoreError, Tx};
use crate::domain::{Actor, SessionId, TenantId, UserId};

/// How long a session lasts without a refresh.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Which login.
    pub id: SessionId,
    /// Whose, and inside which tenant.
    pub actor: Actor,
    /// Of the refresh token that is good now.
    pub generation: i32,
    /// When that token ends.
    pub expires_at: OffsetDateTime,
}

/// Opens a session.
pub async fn open(tx: &mut Tx, actor: Actor) -> Result<Session, StoreError> {
    let id = SessionId::new();
    let row = sqlx::query!(
        "insert into session (id, user_id, tenant_id, expires_at)
         values ($1, $2, $3, now() + make_interval(secs => $4))
         returning generation, expires_at",
        id.0,
        actor.user.0,
        actor.tenant.0,
        SESSION_LIFETIME.as_secs_f64(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Session { id, actor, generation: row.generation, expires_at: row.expires_at })
}

/// What became of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The session goes on, with this generation.
    Session(Session),
    /// The token had been rotated away before: somebody has a copy. The session is revoked now.
    Reused(Session),
    /// No such session, it has ended, or its user has no role left in the tenant.
    Ended,
}

/// Answers a refresh token of `generation`. The session's row is locked, so of two simultaneous
/// refreshes one rotates and the other gets the same successor: its token was still the current one
/// when it was sent. That is seen in the row as it was before the wait for the lock, or in the time of
/// the rotation: `tolerance` is how long the request has been under way, and whatever is granted
/// besides.
pub async fn refresh(
    tx: &mut Tx,
    id: SessionId,
    generation: i32,
    tolerance: Duration,
) -> Result<Refreshed, StoreError> {
    let row = sqlx::query!(
        "select user_id, tenant_id, generation, expires_at,
                (select seen.generation from session seen where seen.id = $1) as \"seen!\",
                rotated_at > statement_timestamp() - make_interval(secs => $2) as \"just_rotated!\"
         from session
         where id = $1 and revoked_at is null and expires_at > now()
           and (exists (select from tenant_member m
                        where m.tenant_id = session.tenant_id and m.user_id = session.user_id)
                or exists (select from project_member p
                           where p.tenant_id = session.tenant_id and p.user_id = session.user_id))
         for update",
        id.0,
        tolerance.as_secs_f64(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(Refreshed::Ended) };
    let session = Session {
        id,
        actor: Actor { user: UserId(row.user_id), tenant: TenantId(row.tenant_id) },
        generation: row.generation,
        expires_at: row.expires_at,
    };
    match row.generation - generation {
        0 => Ok(Refreshed::Session(rotate(tx, session).await?)),
        1 if row.seen == generation || row.just_rotated => Ok(Refreshed::Session(session)),
        _ => {
            revoke(tx, id).await?;
            Ok(Refreshed::Reused(session))
        }
    }
}

async fn rotate(tx: &mut Tx, session: Session) -> Result<Session, StoreError> {
    let row = sqlx::query!(
        "update session
         set generation = generation + 1, rotated_at = clock_timestamp(),
             expires_at = now() + make_interval(secs => $3)
         where id = $1 and generation = $2 and revoked_at is null
         returning generation, expires_at",
        session.id.0,
        session.generation,
        SESSION_LIFETIME.as_secs_f64(),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Session { generation: row.generation, expires_at: row.expires_at, ..session })
}

/// Ends a session; one that has ended stays as it is.
pub async fn revoke(tx: &mut Tx, id: SessionId) -> Result<(), StoreError> {
    sqlx::query!(
        "update session set revoked_at = now() where id = $1 and revoked_at is null",
        id.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
