//! Versions of functions: what they are made of, and their sources. Nothing here changes one; see
//! `deploy` and `retire`.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{StoreError, Tx, db::word, function};
use crate::domain::{
    BuildId, BuildStatus, EventName, FunctionId, PageSize, RetryPolicy, SourceBundle, TenantId,
    UserId, VariableName, Variables, VersionId, VersionNumber, VersionSettings,
};

/// One version of a function.
#[derive(Debug)]
pub struct Version {
    /// Which one.
    pub id: VersionId,
    /// Counted from 1 in its function.
    pub number: VersionNumber,
    /// What it was given, or took over from the version before.
    pub settings: VersionSettings,
    /// The names of its secrets.
    pub secret_names: Vec<VariableName>,
    /// Whether calls go to it.
    pub serves: bool,
    /// The build it runs on, which may be that of an earlier version.
    pub build: BuildId,
    /// How far that build is.
    pub build_status: BuildStatus,
    /// Whether it can be called: one whose binary was lost is being built again while it serves.
    pub has_binary: bool,
    /// Who asked for it.
    pub created_by: UserId,
    /// When.
    pub created_at: OffsetDateTime,
}

/// Where a list of versions goes on: behind this version.
#[derive(Debug, Clone, Copy)]
pub struct Behind(pub VersionNumber);

/// The versions of a function, newest first, without those that were cleaned up. Whoever asks has
/// been let in to the function.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    behind: Option<Behind>,
    size: PageSize,
) -> Result<Vec<Version>, StoreError> {
    let rows = sqlx::query_file_as!(
        VersionRow,
        "src/store/version_list.sql",
        tenant.0,
        function.0,
        None::<i32>,
        behind.map(|behind| behind.0.get()),
        size.and_one(),
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.into_iter().map(VersionRow::read).collect()
}

/// One version; None when there is none of this number, or no more.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    number: VersionNumber,
) -> Result<Option<Version>, StoreError> {
    let row = sqlx::query_file_as!(
        VersionRow,
        "src/store/version_list.sql",
        tenant.0,
        function.0,
        number.get(),
        None::<i32>,
        1,
    )
    .fetch_optional(&mut **tx)
    .await?;
    row.map(VersionRow::read).transpose()
}

/// The function that a version belongs to, and its number there; None when it is not kept.
pub async fn place(
    tx: &mut Tx,
    tenant: TenantId,
    id: VersionId,
) -> Result<Option<(FunctionId, VersionNumber)>, StoreError> {
    let row = sqlx::query!(
        "select function_id, number from function_version where id = $1 and tenant_id = $2",
        id.0,
        tenant.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let place = |row: (Uuid, i32)| Ok((FunctionId(row.0), function::number(row.1)?));
    row.map(|row| place((row.function_id, row.number))).transpose()
}

/// The source of one version; None when there is none of this number, or no more.
pub async fn source(
    tx: &mut Tx,
    tenant: TenantId,
    function: FunctionId,
    number: VersionNumber,
) -> Result<Option<SourceBundle>, StoreError> {
    let bundle = sqlx::query_scalar!(
        "select s.bundle
         from function_version v
         join function_source s on s.version_id = coalesce(v.built_as, v.id)
         where v.function_id = $2 and v.tenant_id = $1 and v.number = $3 and v.removed_at is null",
        tenant.0,
        function.0,
        number.get(),
    )
    .fetch_optional(&mut **tx)
    .await?;
    bundle.map(|bundle| serde_json::from_slice(&bundle).map_err(StoreError::unreadable)).transpose()
}

/// A version as its row has it.
pub(super) struct VersionRow {
    pub(super) id: Uuid,
    pub(super) number: i32,
    pub(super) runtime: String,
    pub(super) timeout_seconds: i32,
    pub(super) memory_mib: i32,
    pub(super) network: String,
    pub(super) trigger: String,
    pub(super) events: Vec<String>,
    pub(super) env: serde_json::Value,
    pub(super) secret_names: Vec<String>,
    pub(super) max_concurrency: Option<i32>,
    pub(super) max_retries: i16,
    pub(super) retry_initial_delay_ms: i32,
    pub(super) retry_max_delay_ms: i32,
    pub(super) retry_backoff_factor: f64,
    pub(super) serves: bool,
    pub(super) build_id: Uuid,
    pub(super) build_status: String,
    pub(super) has_binary: bool,
    pub(super) created_by: Uuid,
    pub(super) created_at: OffsetDateTime,
}

impl VersionRow {
    pub(super) fn read(self) -> Result<Version, StoreError> {
        let settings = self.settings()?;
        Ok(Version {
            id: VersionId(self.id),
            number: function::number(self.number)?,
            settings,
            secret_names: self
                .secret_names
                .iter()
                .map(|name| read(name))
                .collect::<Result<_, _>>()?,
            serves: self.serves,
            build: BuildId(self.build_id),
            build_status: word(&self.build_status)?,
            has_binary: self.has_binary,
            created_by: UserId(self.created_by),
            created_at: self.created_at,
        })
    }

    fn settings(&self) -> Result<VersionSettings, StoreError> {
        let milliseconds =
            |count: i32| std::time::Duration::from_millis(count.unsigned_abs().into());
        let events = self.events.iter().map(|name| read::<EventName>(name));
        Ok(VersionSettings {
            runtime: read(&self.runtime)?,
            timeout_seconds: self.timeout_seconds.unsigned_abs(),
            memory_mib: self.memory_mib.unsigned_abs(),
            network: word(&self.network)?,
            trigger: word(&self.trigger)?,
            events: events.collect::<Result<_, _>>()?,
            env: read_env(&self.env)?,
            retry: RetryPolicy {
                max_retries: self.max_retries.unsigned_abs(),
                initial_delay: milliseconds(self.retry_initial_delay_ms),
                max_delay: milliseconds(self.retry_max_delay_ms),
                backoff_factor: self.retry_backoff_factor,
            },
            max_concurrency: self.max_concurrency.map(i32::unsigned_abs),
        })
    }
}

/// Reads back what was valid when it was written.
fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(StoreError::unreadable)
}

/// The variables of a version, as their column holds them.
pub(super) fn read_env(json: &serde_json::Value) -> Result<Variables, StoreError> {
    let members = json.as_object().into_iter().flatten();
    let texts = members.map(|(name, value)| {
        let value =
            value.as_str().ok_or_else(|| StoreError::unreadable("a variable is no text"))?;
        Ok((read(name)?, value.to_owned()))
    });
    texts.collect()
}
