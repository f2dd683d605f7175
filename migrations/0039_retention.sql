-- Everything that grows is kept for as many days as the configuration says. Whole days of executions
-- and logs are dropped; what must outlive its day, and all else, is deleted a few rows at a time.

-- Makes the partitions of today and of the days ahead. Safe to run at any time, by anybody; whoever
-- comes second does nothing. Waits for no lock: a busy table is left for the next run.
create function make_partitions() returns void language plpgsql set lock_timeout = '1s' as $$
declare
    days_ahead constant int := 3;
    parent text;
    today constant timestamptz := date_trunc('day', now(), 'UTC');
    day timestamptz;
begin
    if not pg_try_advisory_xact_lock(hashtext('maintain_partitions')) then
        return;
    end if;
    foreach parent in array array['execution', 'execution_log'] loop
        for day in select generate_series(today, today + days_ahead * interval '1 day', '1 day') loop
            -- A running execution is updated twice: room on the page keeps its indexes out of it.
            execute format(
                'create table if not exists %I partition of %I for values from (%L) to (%L) with (fillfactor = 80)',
                parent || to_char(day at time zone 'UTC', '_YYYYMMDD'), parent,
                uuid_at(day), uuid_at(day + interval '1 day'));
        end loop;
    end loop;
end $$;

-- Workers of the version before call this during an upgrade. It drops nothing any more: they know
-- nothing of what must outlive its day.
create or replace function maintain_partitions(keep_days int) returns int language plpgsql as $$
begin
    perform make_partitions();
    return 0;
end $$;

-- Drops one day of executions or logs that ended more than `keep_days` ago, if there is one that nothing
-- needs: a day of executions stays while one of them is still to run, or is a dead letter. False when
-- there is none. One at a time, because a drop locks out everybody until its transaction ends; and a
-- partition that somebody reads at this moment is left for another time.
create function drop_old_day(parent text, keep_days int) returns boolean
language plpgsql set lock_timeout = '100ms' as $$
declare
    old record;
    is_needed boolean;
begin
    for old in
        select c.oid::regclass as name, uuid_at(d.day) as first_id,
               uuid_at(d.day + interval '1 day') as next_id
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        cross join lateral (
            -- Not of the partition for everything else, whose name ends otherwise.
            select case when c.relname ~ '_\d{8}$'
                        then to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC'
                   end as day) d
        where i.inhparent = parent::regclass
          and d.day < date_trunc('day', now(), 'UTC') - keep_days * interval '1 day'
        order by d.day
    loop
        if parent = 'execution' then
            execute format('select exists (select from %s where dead_letter)', old.name) into is_needed;
            continue when is_needed
                or exists (select from q.job where subject_id >= old.first_id and subject_id < old.next_id)
                or exists (select from q.later where subject_id >= old.first_id and subject_id < old.next_id);
        end if;
        begin
            execute format('drop table %s', old.name);
            return true;
        exception when lock_not_available then
            continue;
        end;
    end loop;
    return false;
end $$;

-- What is looked for.
create index audit_age on audit (at);
create index build_age on build (completed_at) where completed_at is not null;
create index session_age on session (expires_at);

-- What happened still cannot be made undone; only that it is kept for ever is no more so. Nobody acts
-- for a tenant and deletes, and not even the platform deletes what is younger than 30 days.
create or replace function audit_is_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        if old.at < now() - interval '30 days' and current_tenant() is null then
            return old;
        end if;
    end if;
    raise exception 'the audit record is append-only' using errcode = 'insufficient_privilege';
end $$;
