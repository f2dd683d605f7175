//! Idempotency keys: the first request with a key holds it while it runs and leaves its answer; the
//! same request again finds one of the two. A holder that dies stops renewing, so no key is blocked
//! for ever.
//!
//! Answers may hold tokens that are shown once: they are sealed, each for its key.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Db, StoreError, Tx};
use crate::{
    domain::{Actor, ExecutionId},
    seal::{Sealed, SecretKeys},
};

/// How long a key is held without being renewed.
const HOLD: Duration = Duration::from_secs(30);

/// How often a holder renews.
pub const RENEW_EVERY: Duration = Duration::from_secs(10);

/// A request that carries a key.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    /// Who sends it; two of them may use the same key.
    pub actor: Actor,
    /// The key.
    pub key: String,
    /// sha256 over everything that makes it this request.
    pub fingerprint: [u8; 32],
}

/// An answer as it was given first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Names and values of the headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// What stood inside the envelope, as JSON text.
    pub answer: String,
}

/// What a request with a key finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it is the first, and holds the key now. An execution that it makes has this id.
    Free(ExecutionId),
    /// Another one holds it; an execution that it makes has this id.
    Running(ExecutionId),
    /// It was answered.
    Answered(KeptAnswer),
    /// It was answered, and the answer was sealed with another key; an execution that it made has this
    /// id.
    Unreadable(ExecutionId),
    /// The key belongs to another request.
    Other,
}

/// Takes the key if it is free, which is so as well when its holder died or these days have passed.
pub async fn take(
    db: &Db,
    keys: &SecretKeys,
    request: &KeyedRequest,
    keep_days: u32,
) -> Result<Found, StoreError> {
    let mut tx = db.begin_for(request.actor.tenant).await?;
    // One statement, so that of many at once one gets it. The id stays that of a dead holder's
    // execution, which may have been made.
    let taken = sqlx::query_scalar!(
        "insert into idempotency_key (tenant_id, user_id, key, fingerprint, execution_id, held_until)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
         on conflict (tenant_id, user_id, key) do update
         set held_until = excluded.held_until, fingerprint = excluded.fingerprint, status = null,
             answer = null, location = null, sealed = null,
             execution_id = case when idempotency_key.fingerprint = excluded.fingerprint
                                  and idempotency_key.status is null
                                 then idempotency_key.execution_id else excluded.execution_id end,
             created_at = now()
         where idempotency_key.created_at < now() - make_interval(days => $7)
            or (idempotency_key.status is null and idempotency_key.held_until < now())
         returning execution_id",
        request.actor.tenant.0,
        request.actor.user.0,
        request.key,
        &request.fingerprint,
        ExecutionId::new().0,
        HOLD.as_secs_f64(),
        i32::try_from(keep_days).unwrap_or(i32::MAX),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(id) = taken {
        tx.commit().await?;
        return Ok(Found::Free(ExecutionId(id)));
    }
    let row = sqlx::query!(
        "select fingerprint, execution_id, status, location, answer, sealed from idempotency_key
         where tenant_id = $1 and user_id = $2 and key = $3",
        request.actor.tenant.0,
        request.actor.user.0,
        request.key,
    )
    .fetch_one(&mut *tx)
    .await?;
    if row.fingerprint != request.fingerprint {
        return Ok(Found::Other);
    }
    let id = ExecutionId(row.execution_id);
    let Some(status) = row.status else { return Ok(Found::Running(id)) };
    let kept = match row.answer {
        // Kept by a program of the version before.
        Some(answer) => {
            let status = u16::try_from(status).map_err(StoreError::unreadable)?;
            let location = row.location.map(|location| ("location".to_owned(), location));
            Some(KeptAnswer { status, headers: location.into_iter().collect(), answer })
        }
        None => row.sealed.and_then(|sealed| open(keys, request, sealed)),
    };
    Ok(kept.map_or(Found::Unreadable(id), Found::Answered))
}

/// Says that the holder still runs.
pub async fn renew(db: &Db, request: &KeyedRequest) -> Result<(), StoreError> {
    sqlx::query!(
        "update idempotency_key set held_until = now() + make_interval(secs => $4)
         where tenant_id = $1 and user_id = $2 and key = $3 and status is null",
        request.actor.tenant.0,
        request.actor.user.0,
        request.key,
        HOLD.as_secs_f64(),
    )
    .execute(db.autocommit_for(request.actor.tenant))
    .await?;
    Ok(())
}

/// Keeps the answer; the key is held no longer. False when somebody else holds it by now, or an answer
/// is kept already.
pub async fn keep(
    tx: &mut Tx,
    keys: &SecretKeys,
    request: &KeyedRequest,
    answer: &KeptAnswer,
) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "update idempotency_key set status = $5, sealed = $6
         where tenant_id = $1 and user_id = $2 and key = $3 and fingerprint = $4
           and status is null",
        request.actor.tenant.0,
        request.actor.user.0,
        request.key,
        &request.fingerprint,
        i32::from(answer.status),
        seal(keys, request, answer)?,
    )
    .execute(&mut **tx)
    .await?;
    Ok(kept.rows_affected() == 1)
}

/// Gives the key back: the request changed nothing, and the next one starts afresh.
pub async fn give_back(db: &Db, request: &KeyedRequest) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from idempotency_key
         where tenant_id = $1 and user_id = $2 and key = $3 and fingerprint = $4
           and status is null",
        request.actor.tenant.0,
        request.actor.user.0,
        request.key,
        &request.fingerprint,
    )
    .execute(db.autocommit_for(request.actor.tenant))
    .await?;
    Ok(())
}

fn seal(
    keys: &SecretKeys,
    request: &KeyedRequest,
    answer: &KeptAnswer,
) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(answer).map_err(StoreError::unreadable)?;
    Ok(keys.seal_bytes(request.actor.user.0, &place_of(request), &json).bytes)
}

/// None when it was sealed with another key, or is not what was sealed.
fn open(keys: &SecretKeys, request: &KeyedRequest, bytes: Vec<u8>) -> Option<KeptAnswer> {
    let sealed = Sealed { key_id: keys.newest_id().to_owned(), bytes };
    let json = keys.open_bytes(request.actor.user.0, &place_of(request), &sealed)?;
    serde_json::from_slice(&json).ok()
}

/// What an answer is bound to besides the user. An id has a fixed length.
fn place_of(request: &KeyedRequest) -> String {
    format!("{} {}", request.actor.tenant.0, request.key)
}
