-- A worker takes only builds that it has the toolchain for; the others stay ready, for a worker that has
-- it or for one that starts later, and nobody gives them back.

-- Whether the worker that holds a lease offers what a build needs, or the build is gone and only its job
-- is left to be settled. Offers are not asked for their age: who claims is alive.
create function q.can_build(lease bigint, of_build uuid) returns boolean language sql stable as $$
    select not exists (
        select from public.build b join public.function_version v on v.id = b.version_id
        where b.id = of_build and not exists (
            select from q.lease l join public.toolchain_offer o on o.worker = l.worker
            where l.id = lease
              and case when v.runtime like 'go1.%'
                       then o.language = 'go' and o.minor >= substr(v.runtime, 5)::int
                       else o.language = v.runtime end))
$$;

-- As in 0008, but for the last condition on a job.
create or replace function q.claim_of_tenant(
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
              and (of_class < 2 or q.can_build(lease, j.subject_id))
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
