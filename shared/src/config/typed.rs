//! The configuration as values: what each setting means, its default and its bounds.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    ConfigError, FetchSettings, OutsideIssuer, PayloadLimits, Plans, Retention, Secret, Sources,
    parse::{
        absolute, address, artifact_location, directory, jwt_secret, names, non_empty, seconds,
        switch, url,
    },
    plans::{Ceilings, LEAST_MEMORY_MIB},
    values::Values,
};
use crate::{
    domain::{Network, Plan, PlanLimits, Reach, text_enum::text_enum},
    seal::SecretKeys,
    telemetry::LogFormat,
};

/// Functions mostly wait, so a core carries several; many more, and busy ones miss their timeouts.
const SLOTS_PER_CORE: u32 = 4;
/// A build uses several cores for a second or two; more than one at a time per two cores only makes
/// each of them slower.
const CORES_PER_BUILD: u32 = 2;
const MAX_BUILD_SLOTS: u32 = 64;
/// Without Postgres' notices ("already exists, skipping") and its goodbyes to connections that are cut
/// off at the end, which tell an operator nothing.
const DEFAULT_LOG: &str = "info,sqlx=warn,sqlx_core::pool::connection=error";
/// Most of them wait for a call to end.
const MAX_REQUESTS: u32 = 2048;
/// An upper bound for every time in seconds: a day.
const MAX_SECONDS: u32 = 86_400;
/// What a call may be given, in MiB.
const MEMORY_MIB: RangeInclusive<u32> = LEAST_MEMORY_MIB..=65_536;

/// Enough for an office behind one address to log in; far too few to guess a password.
const ANONYMOUS_PER_MINUTE: u32 = 300;
/// An upper bound for every number of requests a minute.
const MAX_REQUESTS_PER_MINUTE: u32 = 100_000_000;

text_enum!(
    /// Who may register an account.
    Registration { Open = "open", Invite = "invite", Closed = "closed" }
);

/// Where compiled binaries are kept for all workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArtifactLocation {
    /// A directory of this machine, absolute.
    Directory(PathBuf),
    /// A bucket of an S3-compatible store.
    S3 {
        /// Its name.
        bucket: String,
        /// In front of every key, without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// How to reach an S3-compatible store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// Where it is, when it is not AWS: `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// Of AWS, or what another store calls itself.
    pub region: String,
    /// Who we are.
    pub access_key: Option<Secret>,
    /// Proves it.
    pub secret_key: Option<Secret>,
}

impl S3Settings {
    /// What was set for us, else what AWS's tools would take.
    fn read(values: &mut Values, aws: impl Fn(&str) -> Option<String>) -> Self {
        let endpoint = url(&["http", "https"]);
        let secret = |text: &str| non_empty(text).map(Secret::new);
        Self {
            endpoint: values
                .optional("s3_endpoint", endpoint)
                .map(|endpoint| endpoint.expose().trim_end_matches('/').to_owned()),
            region: values
                .optional("s3_region", non_empty)
                .or_else(|| aws("AWS_REGION"))
                .unwrap_or_else(|| "us-east-1".to_owned()),
            access_key: values
                .secret("s3_access_key", secret)
                .or_else(|| aws("AWS_ACCESS_KEY_ID").map(Secret::new)),
            secret_key: values
                .secret("s3_secret_key", secret)
                .or_else(|| aws("AWS_SECRET_ACCESS_KEY").map(Secret::new)),
        }
    }
}

/// Everything an operator can set, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The database; only `dev` can do without.
    pub database_url: Option<Secret>,
    /// Where the API listens.
    pub http_addr: SocketAddr,
    /// Where a worker answers health and metrics, if anywhere.
    pub worker_http_addr: Option<SocketAddr>,
    /// Absolute; may not exist yet.
    pub data_dir: PathBuf,
    /// Signs access tokens, at least 32 bytes; `dev` makes its own.
    pub jwt_secret: Option<Secret>,
    /// Seal the secrets of functions; `dev` makes its own.
    pub secret_keys: Option<SecretKeys>,
    /// Functions running at once in one worker.
    pub worker_slots: u32,
    /// Builds running at once in one worker.
    pub build_slots: u32,
    /// Requests that one API works on at once; more are told to come again.
    pub max_requests: u32,
    /// How long requests and jobs may go on once a process is told to stop; when nobody says, the
    /// command decides.
    pub shutdown_grace: Option<Duration>,
    /// How long an API that is told to stop still accepts, for load balancers to notice.
    pub shutdown_delay: Duration,
    /// Names of layers of isolation that a worker may start without; the sandbox knows which exist.
    pub allow_degraded: Vec<String>,
    /// The plan of new tenants.
    pub default_plan: Plan,
    /// How many requests a minute; None when they are not limited.
    pub rate_limits: Option<RateLimits>,
    /// Whose tokens are accepted besides our own.
    pub outside_issuer: Option<OutsideIssuer>,
    /// How long a refresh token that was used still gives its successor.
    pub refresh_grace: Duration,
    /// Who may register; when nobody says, `open` in `dev` and `invite` elsewhere.
    pub registration: Option<Registration>,
    /// A filter of `tracing-subscriber`.
    pub log: String,
    /// How the log's lines look; when nobody says, it depends on who reads them.
    pub log_format: Option<LogFormat>,
    /// An OpenTelemetry collector, without the path of traces; None: nobody is told of spans.
    pub otlp_endpoint: Option<String>,
    /// Where compiled binaries are kept.
    pub artifact_store: ArtifactLocation,
    /// For an artifact store in S3.
    pub s3: S3Settings,
    /// Shares limits between several APIs.
    pub redis_url: Option<Secret>,
    /// Carries events and wake-ups.
    pub nats_url: Option<Secret>,
    /// Which addresses callbacks and functions with egress may go to.
    pub callback_reach: Reach,
    /// Proxies whose word about a caller's address is taken.
    pub trusted_proxies: Vec<Network>,
    /// Directory of the PostgreSQL programs for the embedded server.
    pub postgres_bin: Option<PathBuf>,
    /// How long things are kept.
    pub retention: Retention,
    /// Limits and places of functions.
    pub functions: FunctionSettings,
    /// Where builds get other people's code.
    pub fetch: FetchSettings,
    /// Toolchains and their cache.
    pub compiler: CompilerSettings,
}

/// The chapter `functions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Where calls and builds would keep their files; nothing reads it, they are kept in memory.
    pub temp_dir: Option<PathBuf>,
    /// Seconds, for a function that says none.
    pub default_timeout_seconds: u32,
    /// Seconds, whatever the plan.
    pub max_timeout_seconds: u32,
    /// MiB, for a function that says none.
    pub default_memory_mib: u32,
    /// MiB, whatever the plan.
    pub max_memory_mib: u32,
    /// Executions at once of one tenant, whatever the plan.
    pub max_concurrent: u32,
    /// What each plan allows, under the three above.
    pub plans: Plans,
    /// Whether functions may have egress; when nobody says, in `dev` only.
    pub egress: Option<bool>,
    /// Versions of a function that stay, so that it can go back to them.
    pub kept_versions: u32,
    /// How much of everything.
    pub payloads: PayloadLimits,
}

/// Requests a minute; 0 is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Of a tenant on the plan `free`.
    pub free: u32,
    /// Of a tenant on the plan `paid`.
    pub paid: u32,
    /// Of a tenant on the plan `enterprise`.
    pub enterprise: u32,
    /// Of an address that shows no valid token.
    pub anonymous: u32,
}

impl RateLimits {
    /// Of a tenant on this plan.
    pub const fn of_plan(&self, plan: Plan) -> u32 {
        match plan {
            Plan::Free => self.free,
            Plan::Paid => self.paid,
            Plan::Enterprise => self.enterprise,
        }
    }

    fn read(values: &mut Values) -> Option<Self> {
        let is_on = values.optional("rate_limit", switch).unwrap_or(true);
        let mut number = |key, default| values.number(key, default, 0..=MAX_REQUESTS_PER_MINUTE);
        let of_plan = |plan: Plan| plan.limits().requests_per_minute;
        let limits = Self {
            free: number("rate_limits.free", of_plan(Plan::Free)),
            paid: number("rate_limits.paid", of_plan(Plan::Paid)),
            enterprise: number("rate_limits.enterprise", of_plan(Plan::Enterprise)),
            anonymous: number("rate_limits.anonymous", ANONYMOUS_PER_MINUTE),
        };
        is_on.then_some(limits)
    }
}

/// The chapter `compiler`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompilerSettings {
    /// The Go toolchain's root; looked for when not set.
    pub go_root: Option<PathBuf>,
    /// The Rust toolchain's root; looked for when not set.
    pub rust_root: Option<PathBuf>,
    /// What builds leave for later builds.
    pub cache_dir: PathBuf,
}

impl Config {
    /// Whether nobody chose a filter for the log.
    pub fn has_default_log(&self) -> bool {
        self.log == DEFAULT_LOG
    }

    /// Merges and validates; on failure says everything that is wrong at once.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let home = Home::of(&sources);
        let variables = sources.variables.clone();
        let standard = |wanted: &str| {
            let found = variables.iter().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        let mut values = sources.merge()?;
        let s3 = S3Settings::read(&mut values, standard);
        let config = Self::read(&mut values, &home, s3);
        let otlp_endpoint = config.otlp_endpoint.clone();
        let config = Self {
            otlp_endpoint: otlp_endpoint.or_else(|| standard("OTEL_EXPORTER_OTLP_ENDPOINT")),
            ..config
        };
        values.finish(config)
    }

    fn read(values: &mut Values, home: &Home, s3: S3Settings) -> Self {
        let data_dir =
            values.optional("data_dir", directory).unwrap_or_else(|| absolute(".apprun"));
        let binary_dir = values.optional("functions.runtime.binary_dir", directory);
        Self {
            database_url: values.secret("database_url", url(&["postgres", "postgresql"])),
            http_addr: values
                .optional("http_addr", address)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            worker_http_addr: values.optional("worker_http_addr", address),
            jwt_secret: values.secret("jwt_secret", jwt_secret),
            secret_keys: values.secret("secret_key", str::parse),
            worker_slots: values.number("worker_slots", default_slots(), 1..=1024),
            build_slots: values.number("build_slots", default_build_slots(), 1..=MAX_BUILD_SLOTS),
            max_requests: values.number("max_requests", MAX_REQUESTS, 1..=100_000),
            shutdown_grace: values.optional("shutdown_grace", seconds),
            shutdown_delay: values.optional("shutdown_delay", seconds).unwrap_or_default(),
            allow_degraded: values.optional("allow_degraded", names).unwrap_or_default(),
            default_plan: values.word("default_plan", Plan::Free),
            rate_limits: RateLimits::read(values),
            outside_issuer: OutsideIssuer::read(values),
            refresh_grace: values.optional("auth.refresh_grace", seconds).unwrap_or_default(),
            registration: values.optional("registration", str::parse),
            log: values.optional("log", non_empty).unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            log_format: values.optional("log_format", str::parse),
            otlp_endpoint: values
                .optional("otlp_endpoint", url(&["http", "https"]))
                .map(|endpoint| endpoint.expose().to_owned()),
            artifact_store: values.optional("artifact_store", artifact_location).unwrap_or_else(
                || {
                    let beside = || data_dir.join("artifacts");
                    ArtifactLocation::Directory(binary_dir.unwrap_or_else(beside))
                },
            ),
            s3,
            redis_url: values.secret("redis_url", url(&["redis"])),
            nats_url: values.secret("nats_url", url(&["nats", "tls"])),
            callback_reach: values.optional("callback_allow", str::parse).unwrap_or_default(),
            trusted_proxies: values.optional("trusted_proxies", Network::list).unwrap_or_default(),
            postgres_bin: values.optional("postgres_bin", directory),
            retention: Retention::read(values),
            functions: FunctionSettings::read(values),
            fetch: FetchSettings::read(values),
            compiler: CompilerSettings {
                go_root: values.optional("compiler.go_root", directory),
                rust_root: values.optional("compiler.rust_root", directory),
                cache_dir: values
                    .optional("compiler.cache_dir", directory)
                    .unwrap_or_else(|| home.cache_dir(&data_dir)),
            },
            data_dir,
        }
    }
}

impl FunctionSettings {
    /// Whether functions may have egress, in a server that somebody set up.
    pub fn allows_egress(&self) -> bool {
        self.egress.unwrap_or(false)
    }

    /// What a plan allows on this installation: its own numbers, under the operator's ceilings.
    pub fn limits_of(&self, plan: Plan) -> PlanLimits {
        let limits = self.plans.of(plan);
        PlanLimits {
            timeout_seconds: limits.timeout_seconds.min(self.max_timeout_seconds),
            memory_mib: limits.memory_mib.min(self.max_memory_mib),
            concurrent_executions: limits.concurrent_executions.min(self.max_concurrent),
            ..limits
        }
    }

    fn read(values: &mut Values) -> Self {
        let most = Ceilings {
            timeout_seconds: values.number("functions.limits.max_timeout", 300, 1..=MAX_SECONDS),
            memory_mib: values.number("functions.limits.max_memory", 512, MEMORY_MIB),
            concurrent_executions: values.number(
                "functions.limits.max_concurrent",
                100,
                1..=100_000,
            ),
        };
        let settings = Self {
            temp_dir: values.optional("functions.runtime.temp_dir", directory),
            default_timeout_seconds: values.number(
                "functions.limits.default_timeout",
                30,
                1..=MAX_SECONDS,
            ),
            max_timeout_seconds: most.timeout_seconds,
            default_memory_mib: values.number("functions.limits.default_memory", 128, MEMORY_MIB),
            max_memory_mib: most.memory_mib,
            max_concurrent: most.concurrent_executions,
            plans: Plans::read(values, most),
            egress: values.optional("egress", switch),
            kept_versions: values.number("functions.limits.kept_versions", 10, 1..=1000),
            payloads: PayloadLimits::read(values),
        };
        settings.check_defaults(values);
        settings
    }

    fn check_defaults(&self, values: &mut Values) {
        let pairs = [
            ("timeout", self.default_timeout_seconds, self.max_timeout_seconds),
            ("memory", self.default_memory_mib, self.max_memory_mib),
        ];
        for (what, default, most) in pairs {
            values.require(default <= most, || {
                format!(
                    "functions.limits.default_{what} = {default} is over \
                     functions.limits.max_{what} = {most}"
                )
            });
        }
    }
}

/// The variables that say where a user's files belong (XDG Base Directory Specification).
struct Home {
    home: Option<PathBuf>,
    xdg_cache: Option<PathBuf>,
}

impl Home {
    fn of(sources: &Sources) -> Self {
        let path = |wanted: &str| {
            let found = sources.variables.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
        };
        Self { home: path("HOME"), xdg_cache: path("XDG_CACHE_HOME") }
    }

    fn cache_dir(&self, data_dir: &Path) -> PathBuf {
        let user_cache =
            self.xdg_cache.clone().or_else(|| self.home.as_ref().map(|home| home.join(".cache")));
        user_cache.map_or_else(|| data_dir.join("cache"), |cache| cache.join("apprun"))
    }
}

fn default_slots() -> u32 {
    cores().saturating_mul(SLOTS_PER_CORE).min(1024)
}

fn default_build_slots() -> u32 {
    cores().div_ceil(CORES_PER_BUILD).min(MAX_BUILD_SLOTS)
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(cores).unwrap_or(1)
}
