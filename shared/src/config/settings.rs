//! The list of everything that can be set. A key in the file, an environment variable and a flag
//! are three names of one setting, so they are declared together.

/// One thing that can be set.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in `apprun.yaml`, chapters joined with dots.
    pub key: &'static str,
    /// Its environment variable, if it has one.
    pub variable: Option<&'static str>,
    /// Whether it has a flag. Secrets have none: a command line can be read by everybody.
    pub has_flag: bool,
    /// What it is, with its default, in one line.
    pub help: &'static str,
}

impl Setting {
    /// The name of its flag, without the dashes in front.
    pub fn flag(&self) -> Option<String> {
        self.has_flag.then(|| self.key.replace(['_', '.'], "-"))
    }

    const fn new(key: &'static str, variable: &'static str, help: &'static str) -> Self {
        Self { key, variable: Some(variable), has_flag: true, help }
    }

    const fn secret(key: &'static str, variable: &'static str, help: &'static str) -> Self {
        Self { key, variable: Some(variable), has_flag: false, help }
    }

    const fn in_file(key: &'static str, help: &'static str) -> Self {
        Self { key, variable: None, has_flag: false, help }
    }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    Setting::new(
        "database_url",
        "APPRUN_DATABASE_URL",
        "PostgreSQL 15 or newer, postgres://…; dev starts its own without it",
    ),
    Setting::new(
        "http_addr",
        "APPRUN_HTTP_ADDR",
        "Address the API listens on [default: 127.0.0.1:8080]",
    ),
    Setting::new(
        "worker_http_addr",
        "APPRUN_WORKER_HTTP_ADDR",
        "Address for a worker's health and metrics [default: off]",
    ),
    Setting::new(
        "data_dir",
        "APPRUN_DATA_DIR",
        "Directory for everything kept on this machine [default: .apprun]",
    ),
    Setting::secret("jwt_secret", "APPRUN_JWT_SECRET", "Signs access tokens, 32 bytes or more"),
    Setting::secret(
        "secret_key",
        "APPRUN_SECRET_KEY",
        "Encrypts functions' secrets: 32 bytes in base64; older keys behind it, after commas",
    ),
    Setting::new(
        "worker_slots",
        "APPRUN_WORKER_SLOTS",
        "Functions running at once in one worker [default: 4 per core]",
    ),
    Setting::new(
        "build_slots",
        "APPRUN_BUILD_SLOTS",
        "Builds running at once in one worker, each with up to 2 GiB [default: 1 per two cores]",
    ),
    Setting::new(
        "max_requests",
        "APPRUN_MAX_REQUESTS",
        "Requests that one API works on at once; more get 503 [default: 2048]",
    ),
    Setting::new(
        "shutdown_grace",
        "APPRUN_SHUTDOWN_GRACE",
        "Seconds that requests and jobs may go on after SIGTERM [default: 30, in dev 5]",
    ),
    Setting::new(
        "shutdown_delay",
        "APPRUN_SHUTDOWN_DELAY",
        "Seconds that an API goes on accepting after SIGTERM, not ready any more [default: 0]",
    ),
    Setting::new(
        "allow_degraded",
        "APPRUN_ALLOW_DEGRADED",
        "Layers of isolation a worker may start without, as in cpu,kill-all [default: none]",
    ),
    Setting::new(
        "default_plan",
        "APPRUN_DEFAULT_PLAN",
        "Plan of new tenants: free, paid or enterprise [default: free]",
    ),
    Setting::new(
        "rate_limit",
        "APPRUN_RATE_LIMIT",
        "Whether requests per minute are limited: on or off [default: on]",
    ),
    Setting::new(
        "registration",
        "APPRUN_REGISTRATION",
        "Who may register: open, invite or closed [default: open in dev, else invite]",
    ),
    Setting::new(
        "otlp_endpoint",
        "APPRUN_OTLP_ENDPOINT",
        "An OpenTelemetry collector for traces, http://host:4318 [default: none]",
    ),
    Setting::new("log", "APPRUN_LOG", "Filter of the log, as in info,worker=debug [default: info]"),
    Setting::new(
        "log_format",
        "APPRUN_LOG_FORMAT",
        "Lines of the log: human or json [default: human on a terminal, else json]",
    ),
    Setting::new(
        "artifact_store",
        "APPRUN_ARTIFACT_STORE",
        "file:///directory or s3://bucket/prefix [default: below the data directory]",
    ),
    Setting::secret(
        "redis_url",
        "APPRUN_REDIS_URL",
        "Counts rate limits over several APIs, redis://…",
    ),
    Setting::secret("nats_url", "APPRUN_NATS_URL", "Carries events and wake-ups"),
    Setting::new(
        "postgres_bin",
        "APPRUN_POSTGRES_BIN",
        "Directory of initdb and postgres for dev [default: looked for]",
    ),
    Setting::new(
        "auth.jwks_url",
        "APPRUN_AUTH_JWKS_URL",
        "Keys of an OpenID Connect issuer whose tokens are accepted, https://… [default: none]",
    ),
    Setting::new("auth.issuer", "APPRUN_AUTH_ISSUER", "What that issuer's tokens say in iss"),
    Setting::new("auth.audience", "APPRUN_AUTH_AUDIENCE", "What tokens for this server say in aud"),
    Setting::new(
        "auth.refresh_grace",
        "APPRUN_AUTH_REFRESH_GRACE",
        "Seconds that a used refresh token gives its successor again [default: 0]",
    ),
    Setting::in_file("rate_limits.free", "Requests a minute of a tenant on this plan; 0: no limit"),
    Setting::in_file("rate_limits.paid", "Requests a minute of a tenant on this plan; 0: no limit"),
    Setting::in_file("rate_limits.enterprise", "Requests a minute of a tenant on this plan"),
    Setting::in_file("rate_limits.anonymous", "Requests a minute of an address without a token"),
    Setting::new(
        "trusted_proxies",
        "APPRUN_TRUSTED_PROXIES",
        "Networks of proxies whose X-Forwarded-For or Forwarded is believed [default: none]",
    ),
    Setting::new(
        "callback_allow",
        "APPRUN_CALLBACK_ALLOW",
        "Networks callbacks and egress may reach besides the public internet [default: none]",
    ),
    Setting::new(
        "egress",
        "APPRUN_EGRESS",
        "Whether functions may reach the network: on or off [default: on in dev, else off]",
    ),
    Setting::in_file(
        "functions.runtime.binary_dir",
        "Compiled functions, unless artifact_store is set",
    ),
    Setting::in_file(
        "functions.runtime.temp_dir",
        "Without effect: calls and builds keep theirs in memory",
    ),
    Setting::in_file("functions.limits.default_timeout", "Seconds, for a function that says none"),
    Setting::in_file("functions.limits.max_timeout", "Seconds, whatever the plan"),
    Setting::in_file("functions.limits.default_memory", "MiB, for a function that says none"),
    Setting::in_file("functions.limits.max_memory", "MiB, whatever the plan"),
    Setting::in_file("functions.limits.max_concurrent", "Executions at once of one tenant"),
    Setting::in_file("functions.limits.max_input_kib", "Longest input of a call"),
    Setting::in_file("functions.limits.max_output_kib", "Longest output of a call"),
    Setting::in_file("functions.limits.max_log_kib", "Longest log kept of a call"),
    Setting::in_file("functions.limits.max_source_kib", "Longest source sent as text"),
    Setting::in_file("functions.limits.max_archive_kib", "Longest source sent as a zip archive"),
    Setting::in_file("functions.limits.max_unpacked_kib", "All files of an archive, unpacked"),
    Setting::in_file("functions.limits.max_source_files", "Files in one source"),
    Setting::in_file("functions.limits.kept_versions", "Versions kept of a function [default: 10]"),
    Setting::in_file("functions.plans.free.timeout", "Seconds, at most, of a call on this plan"),
    Setting::in_file("functions.plans.free.memory", "MiB, at most, of a call on this plan"),
    Setting::in_file("functions.plans.free.concurrent", "Executions at once; 0: max_concurrent"),
    Setting::in_file("functions.plans.free.functions", "Functions of a tenant; 0: no limit"),
    Setting::in_file("functions.plans.paid.timeout", "Seconds, at most, of a call on this plan"),
    Setting::in_file("functions.plans.paid.memory", "MiB, at most, of a call on this plan"),
    Setting::in_file("functions.plans.paid.concurrent", "Executions at once; 0: max_concurrent"),
    Setting::in_file("functions.plans.paid.functions", "Functions of a tenant; 0: no limit"),
    Setting::in_file(
        "functions.plans.enterprise.timeout",
        "Seconds, at most, of a call on this plan",
    ),
    Setting::in_file("functions.plans.enterprise.memory", "MiB, at most, of a call on this plan"),
    Setting::in_file(
        "functions.plans.enterprise.concurrent",
        "Executions at once; 0: max_concurrent",
    ),
    Setting::in_file("functions.plans.enterprise.functions", "Functions of a tenant; 0: no limit"),
    Setting::in_file("functions.logging.retention_days", "Days that logs are kept [default: 30]"),
    Setting::in_file("retention.execution_days", "Days that calls are kept [default: 30]"),
    Setting::in_file("retention.dead_letter_days", "Days that a failed call waits [default: 30]"),
    Setting::in_file("retention.build_days", "Days for builds of gone versions [default: 30]"),
    Setting::in_file("retention.artifact_days", "Days for binaries nobody uses [default: 1]"),
    Setting::in_file(
        "retention.audit_days",
        "Days for the audit record, 30 or more [default: 365]",
    ),
    Setting::in_file("retention.delivery_days", "Days for callbacks and attempts [default: 30]"),
    Setting::in_file("retention.idempotency_key_days", "Days for kept answers [default: 1]"),
    Setting::new(
        "s3_endpoint",
        "APPRUN_S3_ENDPOINT",
        "An S3-compatible store, http://… or https://… [default: AWS]",
    ),
    Setting::new("s3_region", "APPRUN_S3_REGION", "Region of the store [default: us-east-1]"),
    Setting::secret("s3_access_key", "APPRUN_S3_ACCESS_KEY", "Who we are at the store"),
    Setting::secret("s3_secret_key", "APPRUN_S3_SECRET_KEY", "Proves it to the store"),
    Setting::new(
        "functions.build.go_proxy",
        "APPRUN_GO_PROXY",
        "Go module proxy for builds, https://… or file:///… [default: none, modules are vendored]",
    ),
    Setting::in_file("functions.build.go_allow", "Module paths builds may fetch [default: all]"),
    Setting::new(
        "functions.build.cargo_registry",
        "APPRUN_CARGO_REGISTRY",
        "Crate registry for builds, its sparse index [default: none, only the offered crates]",
    ),
    Setting::in_file("compiler.go_root", "The Go toolchain [default: looked for]"),
    Setting::in_file("compiler.rust_root", "The Rust toolchain [default: looked for]"),
    Setting::in_file("compiler.cache_dir", "Build cache [default: apprun in the user's cache]"),
];
