//! What the running workers can build with. Workers renew what they offer; readers trust what is fresh.

use std::{fmt, time::Duration};

use super::{Db, StoreError, Tx};
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
    .execute(db.autocommit())
    .await?;
    Ok(())
}

/// What a build for a runtime waits for when no running worker can do it, in a sentence with what there
/// is instead; None when one can.
pub async fn missing(tx: &mut Tx, runtime: Runtime) -> Result<Option<String>, StoreError> {
    let offered = Offered::read(tx).await?;
    if offered.newest(runtime) >= Some(language_and_minor(runtime).1) {
        return Ok(None);
    }
    let needed = match runtime {
        Runtime::Go { minor } => format!("go ≥ 1.{minor}"),
        Runtime::Rust => "rust".to_owned(),
    };
    Ok(Some(format!(
        "no worker has {needed}: the build waits until one does (running workers offer: {offered})"
    )))
}

/// What running workers offer, when they have the language of a runtime and all of them an older one;
/// None when one is new enough, and when none has the language at this moment.
pub async fn only_older(tx: &mut Tx, runtime: Runtime) -> Result<Option<String>, StoreError> {
    let offered = Offered::read(tx).await?;
    let newest = offered.newest(runtime);
    let is_older = newest.is_some_and(|newest| newest < language_and_minor(runtime).1);
    Ok(is_older.then(|| offered.to_string()))
}

/// The newest toolchain of each language that running workers offer.
struct Offered(Vec<(String, i32)>);

impl Offered {
    async fn read(tx: &mut Tx) -> Result<Self, StoreError> {
        let offers = sqlx::query!(
            r#"select language as "language!", newest as "newest!" from offered_toolchains($1)"#,
            FRESH_SECONDS,
        )
        .fetch_all(&mut **tx)
        .await?;
        Ok(Self(offers.into_iter().map(|offer| (offer.language, offer.newest)).collect()))
    }

    fn newest(&self, runtime: Runtime) -> Option<i32> {
        let (wanted, _) = language_and_minor(runtime);
        let found = self.0.iter().find(|(language, _)| language == wanted);
        found.map(|(_, newest)| *newest)
    }
}

impl fmt::Display for Offered {
    /// `go1.27, rust`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |(language, newest): &(String, i32)| match language.as_str() {
            "go" => format!("go1.{newest}"),
            other => other.to_owned(),
        };
        let all: Vec<_> = self.0.iter().map(of).collect();
        f.write_str(if all.is_empty() { "none" } else { "" })?;
        f.write_str(&all.join(", "))
    }
}

const fn language_and_minor(runtime: Runtime) -> (&'static str, i32) {
    match runtime {
        Runtime::Go { minor } => ("go", minor as i32),
        Runtime::Rust => ("rust", 0),
    }
}
