-- Functions, their immutable versions, the builds of those versions, and compiled artifacts.

create table function (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    project_id uuid not null references project (id),
    name text not null,
    description text not null default '',
    trigger text not null check (trigger in ('http', 'event')),
    -- pending until the first version is built; then active as long as any version serves.
    status text not null check (status in ('pending', 'active', 'failed')),
    -- The version that serves calls; null until one was built.
    current_version int,
    -- The number given out last.
    latest_version int not null,
    created_by uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz
);
create unique index function_name on function (project_id, lower(name)) where deleted_at is null;
create index function_project on function (project_id, id desc) where deleted_at is null;
create index function_tenant on function (tenant_id) where deleted_at is null;

-- A compiled binary, addressed by everything that went into it; shared by all versions whose
-- inputs are the same.
create table artifact (
    -- sha256 over normalised source, runtime, toolchain, target, flags and generator version.
    key bytea primary key check (length(key) = 32),
    -- sha256 of the binary: its name in the artifact store, checked at every load.
    sha256 bytea not null check (length(sha256) = 32),
    size_bytes bigint not null,
    toolchain text not null,
    created_at timestamptz not null default now()
);

create table function_version (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    function_id uuid not null references function (id),
    number int not null,
    runtime text not null,
    timeout_seconds int not null check (timeout_seconds > 0),
    memory_mib int not null check (memory_mib > 0),
    -- Set once, by the build that succeeded.
    artifact_key bytea references artifact (key),
    created_by uuid not null references user_account (id),
    created_at timestamptz not null default now(),
    unique (function_id, number)
);

-- Apart from the version, so that reading a version never drags its source along.
create table function_source (
    version_id uuid primary key references function_version (id),
    tenant_id uuid not null references tenant (id),
    -- The source bundle: a JSON object, path to base64 of the file.
    bundle bytea not null
);

create table build (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    function_id uuid not null references function (id),
    version_id uuid not null references function_version (id),
    status text not null check (status in ('pending', 'running', 'succeeded', 'failed')),
    -- Why it failed, in the words of the build: compile_error, timeout, oom, …
    reason text,
    message text,
    -- Array of {file, line, column, severity, message}.
    diagnostics jsonb not null default '[]',
    log text not null default '',
    log_truncated boolean not null default false,
    toolchain text,
    -- True when an artifact with the same key made compiling unnecessary.
    cached boolean not null default false,
    request_id uuid not null,
    queued_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz
);
create index build_version on build (version_id);
create index build_function on build (function_id, id desc);
