-- The job queue: live work only. Outcomes are written to the row a job is about (an execution, a
-- build) in the transaction that deletes the job. See shared/src/queue/README.md.

create schema q;

-- One row per life of a worker process; its id is never used again. A worker owns its jobs as long
-- as `expires_at` lies ahead by the database's clock.
create table q.lease (
    id bigint generated always as identity primary key,
    worker text not null,
    started_at timestamptz not null default now(),
    expires_at timestamptz not null
) with (fillfactor = 50);

-- Handed out anew with every claim; a settle must show the one of its claim.
create sequence q.fencing_token;

create table q.job (
    id bigint generated always as identity primary key,
    -- What to do, and the row it is about: an execution or a build.
    kind text not null check (kind in ('execute', 'compile')),
    subject_id uuid not null,
    -- 0 sync calls, 1 async calls, 2 builds; lower goes first.
    class smallint not null,
    tenant_id uuid not null,
    project_id uuid not null,
    function_id uuid not null,
    request_id uuid not null,
    state text not null default 'ready' check (state in ('ready', 'running')),
    -- Times the job was started because its work failed before (the user's retry policy).
    attempt smallint not null default 1,
    -- Times a worker was lost, or failed, while it held the job (our trouble).
    redeliveries smallint not null default 0,
    lease_id bigint references q.lease (id),
    token bigint,
    enqueued_at timestamptz not null default now(),
    claimed_at timestamptz,
    check ((state = 'running') = (lease_id is not null and token is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);

-- A row has at most one live job.
create unique index job_subject on q.job (subject_id);
create index job_ready on q.job (class, id) where state = 'ready';
create index job_running on q.job (lease_id) where state = 'running';

-- Jobs that are not due yet, so that a claim never looks at the time.
create table q.later (
    id bigint primary key,
    kind text not null,
    subject_id uuid not null unique,
    class smallint not null,
    tenant_id uuid not null,
    project_id uuid not null,
    function_id uuid not null,
    request_id uuid not null,
    attempt smallint not null,
    redeliveries smallint not null,
    enqueued_at timestamptz not null,
    due_at timestamptz not null
);
create index later_due on q.later (due_at);
