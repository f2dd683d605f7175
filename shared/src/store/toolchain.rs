//! What the running workers can build with. Workers renew what they offer; readers trust what is fresh.

use std::time::Duration;

use super::{Db, StoreError};
use crate::domain::Runtime;

/// How often a worker renews its offers.
pub const RENEW_EVERY: Duration = Duration::from_secs(30);
/// An offer older than this belongs to a worker that is gone: three renewals missed.
const FRESH_SECONDS: f64 = 90.0;

/// One toolchain of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The newest runtime of its language that it serves.
    pub newest: Runtime,
    /// As the toolchain says it: `go1.27.3`.
    pub version: String,
}

/// Renews all that a worker offers; what it offered before and does not now is gone.
pub async fn offer(db: &Db, worker: &str, offers: &[Offer]) -> Result<(), StoreError> {
    let (languages, minors): (Vec<_>, Vec<_>) =
        offers.iter().map(|offer| language_and_minor(offer.newest)).unzip();
    let languages: Vec<_> = languages.into_iter().map(str::to_owned).collect();
    let versions: Vec<_> = offers.iter().map(|offer| offer.version.clone()).collect();
    sqlx::query!(
        "with gone as (
             delete from toolchain_offer
             where (worker = $1 and language <> all ($2)) or seen_at < now() - interval '1 day'
         )
         insert into toolchain_offer (worker, language, minor, version)
         select $1, * from unnest($2::text[], $3::int[], $4::text[])
         on conflict (worker, language)
         do update set minor = excluded.minor, version = excluded.version, seen_at = now()",
        worker,
        &languages,
        &minors,
        &versions,
    )
    .execute(db.pool())
    .await?;
    Ok(())
}

/// Whether a running worker, other than `except`, serves a runtime.
pub async fn is_offered(
    db: &Db,
    runtime: Runtime,
    except: Option<&str>,
) -> Result<bool, StoreError> {
    let (language, minor) = language_and_minor(runtime);
    let found = sqlx::query_scalar!(
        r#"select exists (
               select from toolchain_offer
               where language = $1 and minor >= $2 and worker is distinct from $3
                 and seen_at > now() - make_interval(secs => $4)
           ) as "found!""#,
        language,
        minor,
        except,
        FRESH_SECONDS,
    )
    .fetch_one(db.pool())
    .await?;
    Ok(found)
}

const fn language_and_minor(runtime: Runtime) -> (&'static str, i32) {
    match runtime {
        Runtime::Go { minor } => ("go", minor as i32),
        Runtime::Rust => ("rust", 0),
    }
}
