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
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Handed out anew with every claim; a settle must show the one of its claim.
create sequence q.fencing_token;

create table q.job (
    -- The place in the line.
    id bigint generated always as identity primary key,
    -- What to do, and the row it is about: an execution or a build.
    kind text not null check (kind in ('execute', 'compile')),
    subject_id uuid not null,
    -- 0 sync calls, 1 async calls, 2 builds; lower goes first.
    class smallint not null,
    tenant_id uuid not null,
    function_id uuid not null,
    request_id uuid not null,
    -- Times the job was started because its work failed before (the user's retry policy).
    attempt smallint not null default 1,
    -- Times a worker was lost, or failed, while it held the job (our trouble).
    redeliveries smallint not null default 0,
    -- Somebody wants it to end; whoever holds it, or claims it next, settles it as cancelled.
    cancel_requested boolean not null default false,
    -- A job is running while it has a lease, and ready otherwise. No foreign key: claim and reap
    -- lock the lease themselves.
    lease_id bigint,
    token bigint,
    enqueued_at timestamptz not null default now(),
    claimed_at timestamptz,
    check ((lease_id is null) = (token is null))
) with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.1,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off
);

-- A row has at most one live job.
create unique index job_subject on q.job (subject_id);
-- The lanes: a claim hops from tenant to tenant and from function to function.
create index job_ready on q.job (class, tenant_id, function_id, id) where lease_id is null;
-- What runs is counted here at each claim, so no counter can leak.
create index job_running on q.job (tenant_id, function_id) where lease_id is not null;
-- Asked for at each beat; empty but for the moments of a cancel.
create index job_cancel on q.job (lease_id) where cancel_requested;

-- Jobs that are not due yet, so that a claim never looks at the time.
create table q.later (
    kind text not null,
    subject_id uuid primary key,
    class smallint not null,
    tenant_id uuid not null,
    function_id uuid not null,
    request_id uuid not null,
    attempt smallint not null,
    redeliveries smallint not null,
    cancel_requested boolean not null,
    enqueued_at timestamptz not null,
    due_at timestamptz not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index later_due on q.later (due_at);

-- Deletes the jobs whose token is still the one shown, and returns those tokens. The rows are found
-- by primary key, in the order of the ids, so that two settles never wait for each other. A plan made
-- while the table was empty must still be right when it is long: hence one probe per id instead of a
-- join, and no condition that would suit an index which was empty when the planner looked.
create function q.settle(ids bigint[], tokens bigint[]) returns setof bigint language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
begin
    return query
    with mine as materialized (
        select found.id from (select * from unnest(ids, tokens) as s (id, token) order by s.id) shown,
        lateral (
            select j.id from q.job j where j.id = shown.id and j.token = shown.token limit 1 for update
        ) found
    )
    delete from q.job j where j.id = any (array(select mine.id from mine)) returning j.token;
end $$;
