-- Executions and their logs. Rows are looked up by callers long after the job is gone.
--
-- Both tables are cut by day along the id, which is a UUIDv7 and so begins with the time: a look-up
-- by id touches one partition, and retention drops whole ones. They name functions and versions
-- without foreign keys, so that neither an insert nor a drop locks rows of other tables; what they
-- name is only ever deleted softly.

create table execution (
    id uuid primary key,
    tenant_id uuid not null,
    project_id uuid not null,
    function_id uuid not null,
    version_id uuid not null,
    version_number int not null,
    mode text not null check (mode in ('sync', 'async')),
    -- Back from running to pending when a failed attempt will be tried again.
    status text not null check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
    reason text,
    -- An async call that failed for good and that nobody has dealt with yet.
    dead_letter boolean not null default false,
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
    created_by uuid,
    request_id uuid not null,
    queued_at timestamptz not null default now(),
    started_at timestamptz,
    completed_at timestamptz
) partition by range (id);
create index execution_function on execution (function_id, id desc);
create index execution_project on execution (project_id, id desc);
create index execution_request on execution (request_id);
create index execution_dead_letter on execution (project_id, id desc) where dead_letter;

-- One row per line the function wrote, in the order in which it was read.
create table execution_log (
    execution_id uuid not null,
    seq int not null,
    tenant_id uuid not null,
    function_id uuid not null,
    attempt int not null,
    at timestamptz not null,
    stream text not null check (stream in ('stdout', 'stderr')),
    line text not null,
    primary key (execution_id, attempt, seq)
) partition by range (execution_id);
create index execution_log_function on execution_log (function_id, at desc, execution_id desc);

-- The lowest UUIDv7 of a moment: 48 bits of milliseconds, then zeros.
create function uuid_at(moment timestamptz) returns uuid
language sql immutable as $$
    select rpad(lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- Makes the partitions of today and of the days ahead, drops those whose last row is older than
-- `keep_days`, and says how many it dropped. Safe to run at any time, by anybody; whoever comes
-- second does nothing. Waits for no lock: a busy table is left for the next run.
create function maintain_partitions(keep_days int) returns int
language plpgsql set lock_timeout = '1s' as $$
declare
    days_ahead constant int := 3;
    parent text;
    first_day timestamptz := date_trunc('day', now(), 'UTC');
    day timestamptz;
    old record;
    dropped int := 0;
begin
    if not pg_try_advisory_xact_lock(hashtext('maintain_partitions')) then
        return 0;
    end if;
    foreach parent in array array['execution', 'execution_log'] loop
        for day in select generate_series(first_day, first_day + days_ahead * interval '1 day', '1 day') loop
            -- A running execution is updated twice: room on the page keeps its indexes out of it.
            execute format(
                'create table if not exists %I partition of %I for values from (%L) to (%L) with (fillfactor = 80)',
                parent || to_char(day at time zone 'UTC', '_YYYYMMDD'), parent,
                uuid_at(day), uuid_at(day + interval '1 day'));
        end loop;
        for old in
            select c.oid::regclass as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = parent::regclass and c.relname ~ '_\d{8}$'
              and to_date(right(c.relname, 8), 'YYYYMMDD') < (first_day at time zone 'UTC')::date - keep_days
        loop
            execute format('drop table %s', old.name);
            dropped := dropped + 1;
        end loop;
    end loop;
    return dropped;
end $$;

-- Rows of days that have no partition, because no worker has run for days: they are found like all
-- others. A partition cannot be made for a day that has rows here, so that day stays here.
create table execution_default partition of execution default;
create table execution_log_default partition of execution_log default;

select maintain_partitions(30);
