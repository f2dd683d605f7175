-- Two additions to the claim. A worker says which index entries it need not look at again, so that a
-- long line costs as much as a short one. And it can take back a claim whose answer never reached it.

-- Raised by a worker that did not hear what became of a claim: later claims must name the new one,
-- so the lost one, should it still be on its way, takes nothing any more.
alter table q.lease add epoch int not null default 0;

-- In the lane of this function, no ready job has this id or a lower one, as far as a worker knows.
create type q.mark as (tenant_id uuid, function_id uuid, id bigint);

-- A place before every tenant and every function: no id is this.
create function q.before_all() returns uuid language sql immutable
return '00000000-0000-0000-0000-000000000000'::uuid;

-- The first function of a tenant behind another one that has a ready job; null when there is none.
-- `marks` are of this class, in order. Between two marks the index is probed as it is; at a mark the
-- probe begins behind it, because every entry before it is dead and would have to be stepped over.
--
-- Where a lane is read by its ids, the range is one of rows, ordered by the index's columns: that
-- leaves the planner no other index. Equal columns and `order by id` would let it walk the primary key.
create function q.next_function(of_class smallint, of_tenant uuid, behind uuid, marks q.mark[])
returns uuid language plpgsql as $$
declare
    mark q.mark;
    ahead uuid;
begin
    foreach mark in array marks loop
        continue when mark.tenant_id <> of_tenant or mark.function_id <= behind;
        select j.function_id into ahead from q.job j
        where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
          and j.function_id > behind and j.function_id < mark.function_id
        order by j.function_id limit 1;
        if found then
            return ahead;
        end if;
        select j.function_id into ahead from q.job j
        where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
          and (j.function_id, j.id) > (mark.function_id, mark.id) and j.function_id <= mark.function_id
        order by j.function_id, j.id limit 1;
        if found then
            return ahead;
        end if;
        behind := mark.function_id;
    end loop;
    select j.function_id into ahead from q.job j
    where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
      and j.function_id > behind
    order by j.function_id limit 1;
    return ahead;
end $$;

-- The same of tenants.
create function q.next_tenant(of_class smallint, behind uuid, marks q.mark[])
returns uuid language plpgsql as $$
declare
    mark q.mark;
    ahead uuid;
begin
    foreach mark in array marks loop
        continue when mark.tenant_id <= behind;
        select j.tenant_id into ahead from q.job j
        where j.lease_id is null and j.class = of_class
          and j.tenant_id > behind and j.tenant_id < mark.tenant_id
        order by j.tenant_id limit 1;
        if found then
            return ahead;
        end if;
        if q.next_function(of_class, mark.tenant_id, q.before_all(), marks) is not null then
            return mark.tenant_id;
        end if;
        behind := mark.tenant_id;
    end loop;
    select j.tenant_id into ahead from q.job j
    where j.lease_id is null and j.class = of_class and j.tenant_id > behind
    order by j.tenant_id limit 1;
    return ahead;
end $$;

drop function q.claim(bigint, smallint[], int[], int, uuid[], jsonb);
drop function q.claim_of_tenant(bigint, smallint, uuid, bigint);

-- As in 0005, but for the marks.
create function q.claim_of_tenant(
    lease bigint, of_class smallint, of_tenant uuid, room bigint, marks q.mark[]
) returns setof q.job language plpgsql as $$
begin
    return query
    -- A loose index scan: one probe per function, however long its line is.
    with recursive lane as (
        select q.next_function(of_class, of_tenant, q.before_all(), marks) as function_id
        union all
        select q.next_function(of_class, of_tenant, lane.function_id, marks) from lane
        where lane.function_id is not null
    ),
    counted as (
        select lane.function_id,
               (select count(*) from q.job r
                where r.lease_id is not null and r.tenant_id = of_tenant
                  and r.function_id = lane.function_id and (r.class = 2) = (of_class = 2)) as running,
               -- The limit is on calls; builds have none.
               (select v.max_concurrency from public.function f
                join public.function_version v on v.function_id = f.id and v.number = f.current_version
                where f.id = lane.function_id and of_class < 2) as max_running,
               coalesce((select m.id from unnest(marks) m
                         where m.tenant_id = of_tenant and m.function_id = lane.function_id), 0) as mark
        from lane where lane.function_id is not null
        limit 256
    ),
    in_turn as (
        select head.id, counted.running + head.place as rank
        from counted, lateral (
            select j.id, row_number() over (order by j.function_id, j.id) as place
            from q.job j
            where j.lease_id is null and j.class = of_class and j.tenant_id = of_tenant
              and (j.function_id, j.id) > (counted.function_id, counted.mark)
              and j.function_id <= counted.function_id
            order by j.function_id, j.id
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

-- As in 0005, but for the marks and the epoch. Goes round the tenants that have ready jobs, class by class, from behind the tenant where the
-- last round ended, and takes at most a quantum at each: ten jobs, or an eighth of what is wanted.
-- `room` says how many jobs of each class (sync calls, async calls, builds) may be taken, `calls` how
-- many of the first two together; `plan_limits` maps a plan to the calls a tenant may have running.
--
-- Behind the jobs of a class comes a row that has no job, only the tenant where the round ended and
-- whether jobs may have been left behind: because of limits, or because there was no more room.
--
-- `marks` say where lanes begin, one of each array's elements per lane; see `q.mark`. A claim that
-- names another epoch than the lease's takes nothing.
create function q.claim(
    lease bigint, of_epoch int, classes smallint[], room int[], calls int, rounds_ended_at uuid[],
    plan_limits jsonb, mark_classes smallint[], mark_tenants uuid[], mark_functions uuid[],
    mark_ids bigint[]
) returns table (
    job_id bigint, token bigint, kind text, subject_id uuid, class smallint, tenant_id uuid,
    function_id uuid, request_id uuid, attempt smallint, redeliveries smallint, cancel_requested boolean,
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
    marks q.mark[];
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
    perform from q.lease l where l.id = lease and l.expires_at > now() and l.epoch = of_epoch
    for key share;
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
        marks := array(
            select (m.tenant_id, m.function_id, m.id)::q.mark
            from unnest(mark_classes, mark_tenants, mark_functions, mark_ids)
                as m (class, tenant_id, function_id, id)
            where m.class = of_class order by m.tenant_id, m.function_id);
        here := rounds_ended_at[of_class + 1];
        barren_since := null;
        for visit in 1..max_visits loop
            ahead := coalesce(
                q.next_tenant(of_class, here, marks),
                q.next_tenant(of_class, q.before_all(), marks));
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
                select j.id, j.token, j.kind, j.subject_id, j.class, j.tenant_id, j.function_id, j.request_id,
                       j.attempt, j.redeliveries, j.cancel_requested,
                       1000 * extract(epoch from j.claimed_at - j.enqueued_at)::float8, null::boolean
                from q.claim_of_tenant(lease, of_class, ahead, allowed, marks) j;
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
        select null::bigint, null::bigint, null, null::uuid, of_class, here, null::uuid, null::uuid,
               null::smallint, null::smallint, null::boolean, null::float8, ahead is not null;
    end loop;
end $$;
