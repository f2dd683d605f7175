-- The short way of a claim. At most moments everything that is ready fits into the slots that are free and
-- into the limits of those it belongs to. Then nobody has to take turns, and what the rounds ask tenant by
-- tenant and function by function is asked once for all.

-- A place behind every tenant and every function.
create function q.after_all() returns uuid language sql immutable
return 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid;

-- As in 0008, but it takes the short way where that leads. Builds take their turns always: whether a worker
-- can do one is asked of each.
create or replace function q.claim(
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
    ready bigint[];
    of_tenants uuid[];
    of_functions uuid[];
    fits boolean;
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
        -- Every range of the index between two marks, in its order; a mark ends one and begins the next.
        with edge as (
            select q.before_all() as tenant_id, q.before_all() as function_id, 0::bigint as id
            union all
            select m.tenant_id, m.function_id, m.id from unnest(marks) m
        ),
        range as (
            select e.*, lead(e.tenant_id, 1, q.after_all()) over in_order as next_tenant,
                   lead(e.function_id, 1, q.after_all()) over in_order as next_function
            from edge e window in_order as (order by e.tenant_id, e.function_id)
        ),
        found as (
            select j.id, j.tenant_id, j.function_id
            from range, lateral (
                select r.id, r.tenant_id, r.function_id from q.job r
                where r.lease_id is null and r.class = of_class
                  and (r.tenant_id, r.function_id, r.id) > (range.tenant_id, range.function_id, range.id)
                  and (r.tenant_id, r.function_id, r.id) < (range.next_tenant, range.next_function, 0)
                order by r.tenant_id, r.function_id, r.id limit wanted + 1
            ) j
            limit wanted + 1
        )
        select array_agg(f.id), array_agg(f.tenant_id), array_agg(f.function_id)
        into ready, of_tenants, of_functions from found f;
        fits := ready is null;
        if of_class < 2 and cardinality(ready) <= wanted then
            fits := not exists (
                select from (select u.tenant_id, count(*) as jobs from unnest(of_tenants) as u (tenant_id) group by 1) more
                join public.tenant t on t.id = more.tenant_id
                where more.jobs + (select count(*) from q.job r
                                   where r.lease_id is not null and r.tenant_id = t.id and r.class < 2)
                      > (plan_limits ->> t.plan)::bigint)
            and not exists (
                select from (select u.tenant_id, u.function_id, count(*) as jobs
                             from unnest(of_tenants, of_functions) as u (tenant_id, function_id) group by 1, 2) more
                join public.function f on f.id = more.function_id
                join public.function_version v on v.function_id = f.id and v.number = f.current_version
                where more.jobs + (select count(*) from q.job r
                                   where r.lease_id is not null and r.tenant_id = more.tenant_id
                                     and r.function_id = more.function_id and r.class < 2)
                      > v.max_concurrency);
            if fits then
                return query
                -- Steps over a job that is being cancelled at this moment.
                with picked as materialized (
                    select j.id from q.job j where j.id = any (ready) for update skip locked
                )
                update q.job j
                set lease_id = lease, token = nextval('q.fencing_token'), claimed_at = clock_timestamp()
                where j.id = any (array(select picked.id from picked))
                returning j.id, j.token, j.kind, j.subject_id, j.class, j.tenant_id, j.function_id, j.request_id,
                          j.attempt, j.redeliveries, j.cancel_requested,
                          1000 * extract(epoch from j.claimed_at - j.enqueued_at)::float8, null::boolean;
                get diagnostics taken = row_count;
                calls := calls - taken;
            end if;
        end if;
        if fits then
            return query
            select null::bigint, null::bigint, null, null::uuid, of_class, here, null::uuid, null::uuid,
                   null::smallint, null::smallint, null::boolean, null::float8,
                   -- One that was stepped over may stay.
                   coalesce(taken < cardinality(ready), false);
            continue;
        end if;
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
