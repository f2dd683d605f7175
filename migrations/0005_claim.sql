-- The claim: who gets the next free slot. Fair between tenants, exact in its limits.

-- What a function version may ask for: calls at once over the function (null: only the tenant's
-- limit), and how a failed async call is tried again.
alter table function_version
    add max_concurrency int check (max_concurrency > 0),
    add max_retries smallint not null default 0 check (max_retries between 0 and 100),
    add retry_initial_delay_ms int not null default 1000 check (retry_initial_delay_ms >= 0),
    add retry_max_delay_ms int not null default 60000 check (retry_max_delay_ms >= 0),
    add retry_backoff_factor double precision not null default 2 check (retry_backoff_factor >= 1);

-- Takes up to `room` ready jobs of one tenant, whose own limit `room` respects already: the
-- function with the fewest running jobs goes first, then the job that waits longest.
create function q.claim_of_tenant(lease bigint, of_class smallint, of_tenant uuid, room bigint)
returns setof q.job language plpgsql as $$
begin
    return query
    -- A loose index scan: one probe per function, however long its line is.
    with recursive lane as (
        (select j.function_id from q.job j
         where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
         order by j.function_id limit 1)
        union all
        select (select j.function_id from q.job j
                where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
                  and j.function_id > lane.function_id
                order by j.function_id limit 1)
        from lane where lane.function_id is not null
    ),
    counted as (
        select lane.function_id,
               (select count(*) from q.job r
                where r.lease_id is not null and r.tenant_id = of_tenant
                  and r.function_id = lane.function_id and (r.class = 2) = (of_class = 2)) as running,
               -- The limit is on calls; builds have none.
               (select v.max_concurrency from public.function f
                join public.function_version v on v.function_id = f.id and v.number = f.current_version
                where f.id = lane.function_id and of_class < 2) as max_running
        from lane where lane.function_id is not null
        limit 256
    ),
    in_turn as (
        select head.id, counted.running + head.place as rank
        from counted, lateral (
            select j.id, row_number() over (order by j.id) as place from q.job j
            where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
              and j.function_id = counted.function_id
            order by j.id
            limit least(room, greatest(coalesce(counted.max_running - counted.running, room), 0))
        ) head
        order by rank, head.id
        limit room
    ),
    -- Steps over a job that is being cancelled at this moment.
    picked as materialized (
        select j.id from q.job j where j.id = any (array(select id from in_turn))
        for update skip locked
    )
    update q.job j
    set lease_id = lease, token = nextval('q.fencing_token'), claimed_at = clock_timestamp()
    where j.id = any (array(select picked.id from picked))
    returning j.*;
end $$;

-- Goes round the tenants that have ready jobs, class by class, from behind the tenant where the
-- last round ended, and takes at most a quantum at each: ten jobs, or an eighth of what is wanted.
-- `room` says how many jobs of each class (sync calls, async calls, builds) may be taken, `calls` how
-- many of the first two together; `plan_limits` maps a plan to the calls a tenant may have running.
--
-- Behind the jobs of a class comes a row that has no job, only the tenant where the round ended and
-- whether jobs may have been left behind: because of limits, or because there was no more room.
create function q.claim(
    lease bigint, classes smallint[], room int[], calls int, rounds_ended_at uuid[], plan_limits jsonb
) returns table (
    job_id bigint, token bigint, kind text, subject_id uuid, class smallint, tenant_id uuid,
    request_id uuid, attempt smallint, redeliveries smallint, cancel_requested boolean,
    waited_ms double precision, left_behind boolean
) language plpgsql
-- Plans are made once per connection and keep to the indexes, whatever the statistics of a table
-- that is empty at one moment and long at the next would say.
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off
set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    -- What one tenant may take before the next has its turn.
    min_quantum constant int := 10;
    quantum_share constant int := 8;
    max_visits constant int := 64;
    of_class smallint;
    wanted int;
    here uuid;
    ahead uuid;
    allowed bigint;
    taken int;
    barren_since uuid;
begin
    -- A claim that a crash of the server forgets leaves the job ready, which is no harm.
    perform set_config('synchronous_commit', 'off', true);
    -- The lock keeps the lease from being reaped until the jobs are seen to be under it.
    perform from q.lease l where l.id = lease and l.expires_at > now() for key share;
    if not found then
        return;
    end if;
    -- One claim at a time, for the length of this call: what is counted stays true.
    perform pg_advisory_xact_lock(hashtext('q.claim'));
    foreach of_class in array classes loop
        wanted := room[of_class + 1];
        if of_class < 2 then
            wanted := least(wanted, calls);
        end if;
        continue when wanted <= 0;
        here := rounds_ended_at[of_class + 1];
        barren_since := null;
        for visit in 1..max_visits loop
            ahead := coalesce(
                (select j.tenant_id from q.job j
                 where j.lease_id is null and j.class = of_class and j.tenant_id > here
                 order by j.tenant_id limit 1),
                (select j.tenant_id from q.job j
                 where j.lease_id is null and j.class = of_class
                 order by j.tenant_id limit 1));
            -- Nothing is ready, or a whole round gave nothing: the rest waits for its limits.
            exit when ahead is null or ahead = barren_since;
            allowed := wanted;
            if of_class < 2 then
                allowed := (
                    select (plan_limits ->> t.plan)::bigint - (
                        select count(*) from q.job r
                        where r.lease_id is not null and r.tenant_id = t.id and r.class < 2)
                    from public.tenant t where t.id = ahead);
            end if;
            allowed := least(wanted, greatest(min_quantum, wanted / quantum_share), coalesce(allowed, wanted));
            taken := 0;
            if allowed > 0 then
                return query
                select j.id, j.token, j.kind, j.subject_id, j.class, j.tenant_id, j.request_id,
                       j.attempt, j.redeliveries, j.cancel_requested,
                       1000 * extract(epoch from j.claimed_at - j.enqueued_at)::float8, null::boolean
                from q.claim_of_tenant(lease, of_class, ahead, allowed) j;
                get diagnostics taken = row_count;
            end if;
            here := ahead;
            wanted := wanted - taken;
            if of_class < 2 then
                calls := calls - taken;
            end if;
            exit when wanted = 0;
            barren_since := case when taken = 0 then coalesce(barren_since, ahead) end;
        end loop;
        return query
        select null::bigint, null::bigint, null, null::uuid, of_class, here, null::uuid,
               null::smallint, null::smallint, null::boolean, null::float8, ahead is not null;
    end loop;
end $$;
