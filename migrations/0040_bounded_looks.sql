-- As in 0035, but a claim looks past no more than the first builds of a function that its worker cannot do:
-- thousands of them must not hold up every other claim.
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
            from (
                select ready.id, ready.function_id, ready.subject_id from q.job ready
                where ready.lease_id is null and ready.class = of_class and ready.tenant_id = of_tenant
                  and (ready.function_id, ready.id) > (counted.function_id, counted.mark)
                  and ready.function_id <= counted.function_id
                order by ready.function_id, ready.id
                limit greatest(room, 16)
            ) j
            where of_class < 2 or q.can_build(lease, j.subject_id)
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

-- As in 0039, but jobs are looked for before dead letters.
create or replace function drop_old_day(parent text, keep_days int) returns boolean
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
            continue when
                exists (select from q.job where subject_id >= old.first_id and subject_id < old.next_id)
                or exists (select from q.later where subject_id >= old.first_id and subject_id < old.next_id);
            -- After the jobs: one that ends in between has left its dead letter by now.
            execute format('select exists (select from %s where dead_letter)', old.name) into is_needed;
            continue when is_needed;
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
