-- The last 24 hours of several functions at once, by the hour.
-- $1 tenant, $2 functions, $3 most calls looked at of each.
select w.function_id as "function_id!", hours.first as "first_hour!", numbers.p95,
       numbers.calls as "calls!", numbers.errors as "errors!",
       failure.id as "failed_id?", failure.reason as "failed_reason?",
       failure.completed_at as "failed_at?"
from unnest($2::uuid[]) w (function_id)
cross join (select date_trunc('hour', now(), 'UTC') - interval '23 hours' as first) hours
cross join lateral (
    with recent as materialized (
        select status, run_ms,
               floor(extract(epoch from queued_at - hours.first) / 3600)::int as hour
        from execution
        where tenant_id = $1 and function_id = w.function_id and id >= uuid_at(hours.first)
        order by id desc
        limit $3
    ),
    counted as (
        select hour, count(*) filter (where status in ('completed', 'failed', 'cancelled')) as calls,
               count(*) filter (where status = 'failed') as errors
        from recent group by hour
    )
    select (select percentile_cont(0.95) within group (order by run_ms) from recent) as p95,
           array_agg(coalesce(c.calls, 0) order by h) as calls,
           array_agg(coalesce(c.errors, 0) order by h) as errors
    from generate_series(0, 23) h left join counted c on c.hour = h
) numbers
left join lateral (
    select id, reason, completed_at from execution
    where tenant_id = $1 and function_id = w.function_id and reason is not null
      and status = 'failed'
    order by id desc
    limit 1
) failure on true
