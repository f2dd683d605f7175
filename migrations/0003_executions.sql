-- Executions and their logs. Rows are looked up by callers long after the job is gone.

create table execution (
    id uuid primary key,
    tenant_id uuid not null references tenant (id),
    project_id uuid not null references project (id),
    function_id uuid not null references function (id),
    version_id uuid not null references function_version (id),
    version_number int not null,
    mode text not null check (mode in ('sync', 'async')),
    status text not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    reason text,
    -- JSON text, not jsonb: what the caller sent and what the function wrote come back unchanged,
    -- large integers and \u0000 included.
    input text not null,
    output text,
    error_message text,
    -- Of the last attempt.
    attempt int not null default 0,
    worker text,
    queue_ms double precision,
    setup_ms double precision,
    run_ms double precision,
    store_ms double precision,
    cpu_ms double precision,
    peak_memory_bytes bigint,
    exit_status int,
    signal int,
    logs_truncated boolean not null default false,
    created_by uuid references user_account (id),
    request_id uuid not null,
    queued_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz
);
create index execution_function on execution (function_id, id desc);
create index execution_project on execution (project_id, id desc);
create index execution_request on execution (request_id);

-- One row per line the function wrote, in the order in which it was read.
create table execution_log (
    execution_id uuid not null,
    seq int not null,
    tenant_id uuid not null references tenant (id),
    function_id uuid not null references function (id),
    attempt int not null,
    at timestamptz not null,
    stream text not null check (stream in ('stdout', 'stderr')),
    line text not null,
    primary key (execution_id, attempt, seq)
);
create index execution_log_function on execution_log (function_id, at desc, execution_id desc);
