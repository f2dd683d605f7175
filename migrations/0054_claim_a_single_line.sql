-- The short way of a claim goes further, and costs less. Calls of one function that are more than the slots
-- that are free are the usual case of a busy worker; while nobody else waits, nobody's turn is at stake. And a
-- statement costs by its parts, wanted or not: what only some claims need is asked only then.

-- The first ready jobs of a class behind a place, at most so many, in the order of the index.
create function q.ready(of_class smallint, behind q.mark, room int, marks q.mark[])
returns q.mark[] language plpgsql as $$
begin
    if cardinality(marks) = 0 then
        return array(
            select (r.tenant_id, r.function_id, r.id)::q.mark from q.job r
            where r.lease_id is null and r.class = of_class
              and (r.tenant_id, r.function_id, r.id) > (behind.tenant_id, behind.function_id, behind.id)
            order by r.tenant_id, r.function_id, r.id limit room);
    end if;
    -- Every range of the index between two marks, in its order; a mark ends one and begins the next.
    return array(
        with edge as (
            select behind.tenant_id, behind.function_id, behind.id
            union all
            select m.tenant_id, m.function_id, m.id from unnest(marks) m
            where (m.tenant_id, m.function_id, m.id) > (behind.tenant_id, behind.function_id, behind.id)
        ),
        range as (
            select e.*, lead(e.tenant_id, 1, q.after_all()) over in_order as next_tenant,
                   lead(e.function_id, 1, q.after_all()) over in_order as next_function
            from edge e window in_order as (order by e.tenant_id, e.function_id)
        )
        select (j.tenant_id, j.function_id, j.id)::q.mark
        from range, lateral (
            select r.tenant_id, r.function_id, r.id from q.job r
            where r.lease_id is null and r.class = of_class
              and (r.tenant_id, r.function_id, r.id) > (range.tenant_id, range.function_id, range.id)
              and (r.tenant_id, r.function_id, r.id) < (range.next_tenant, range.next_function, 0)
            order by r.tenant_id, r.function_id, r.id limit room
        ) j
        limit room);
end $$;

-- Whether these calls and those that run stay within the limits of all to whom they belong.
create function q.fits(line q.mark[], plan_limits jsonb) returns boolean language plpgsql as $$
begin
    return not exists (
        select from (select m.tenant_id, count(*) as jobs from unnest(line) m group by 1) more
        join public.tenant t on t.id = more.tenant_id
        where more.jobs + (select count(*) from q.job r
                           where r.lease_id is not null and r.tenant_id = t.id and r.class < 2)
              > (plan_limits ->> t.plan)::bigint)
    and not exists (
        select from (select m.tenant_id, m.function_id, count(*) as jobs from unnest(line) m group by 1, 2) more
        join public.function f on f.id = more.function_id
        join public.function_version v on v.function_id = f.id and v.number = f.current_version
        where more.jobs + (select count(*) from q.job r
                           where r.lease_id is not null and r.tenant_id = more.tenant_id
                             and r.function_id = more.function_id and r.class < 2)
              > v.max_concurrency);
end $$;

-- How many calls of a function may be started now; null when nobody knows it any more.
create function q.allowance(of_tenant uuid, of_function uuid, plan_limits jsonb)
returns bigint language plpgsql as $$
declare
    max_calls constant bigint := 2147483647;
begin
    return (
        -- No limit is said of a plan that nobody here knows yet.
        select greatest(0, least(coalesce((plan_limits ->> t.plan)::bigint, max_calls) - running.calls,
                                 v.max_concurrency - running.its_calls))
        from public.tenant t
        join public.function f on f.id = of_function
        join public.function_version v on v.function_id = f.id and v.number = f.current_version,
        lateral (
            select count(*) as calls, count(*) filter (where r.function_id = f.id) as its_calls
            from q.job r where r.lease_id is not null and r.tenant_id = t.id and r.class < 2
        ) running
        where t.id = of_tenant);
end $$;

-- As in 0053, but for a single line.
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
    max_id constant bigint := 9223372036854775807;
    of_class smallint;
    marks q.mark[];
    wanted int;
    here uuid;
    ahead uuid;
    allowed bigint;
    taken int;
    barren_since uuid;
    line q.mark[];
    head q.mark;
    tail q.mark;
    is_longer boolean;
    is_short boolean;
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
        here := rounds_ended_at[of_class + 1];
        marks := '{}';
        if of_class = any (mark_classes) then
            marks := array(
                select (m.tenant_id, m.function_id, m.id)::q.mark
                from unnest(mark_classes, mark_tenants, mark_functions, mark_ids)
                    as m (class, tenant_id, function_id, id)
                where m.class = of_class order by m.tenant_id, m.function_id);
        end if;
        line := q.ready(of_class, row(q.before_all(), q.before_all(), 0)::q.mark, wanted + 1, marks);
        is_longer := cardinality(line) > wanted;
        is_short := cardinality(line) = 0;
        if of_class < 2 and not is_short then
            head := line[1];
            tail := line[cardinality(line)];
            if head.tenant_id <> tail.tenant_id or head.function_id <> tail.function_id then
                is_short := not is_longer and q.fits(line, plan_limits);
            elsif not is_longer
                or q.ready(of_class, row(tail.tenant_id, tail.function_id, max_id)::q.mark, 1, marks) = '{}'
            then
                allowed := q.allowance(head.tenant_id, head.function_id, plan_limits);
                if allowed is not null then
                    allowed := least(allowed, wanted);
                    is_short := true;
                    is_longer := cardinality(line) > allowed;
                    line := line[1:allowed];
                end if;
            end if;
        end if;
        if is_short then
            taken := 0;
            if cardinality(line) > 0 then
                return query
                -- Steps over a job that is being cancelled at this moment.
                with picked as materialized (
                    select j.id from unnest(line) m join q.job j on j.id = m.id for update of j skip locked
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
            class := of_class;
            tenant_id := here;
            -- One that was stepped over may stay.
            left_behind := is_longer or taken < cardinality(line);
            return next;
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
        class := of_class;
        tenant_id := here;
        left_behind := ahead is not null;
        return next;
    end loop;
end $$;
