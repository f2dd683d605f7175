-- The numbers of a function over a window: one row for each step that saw a call, one for all.
-- $1 tenant, $2 function, $3 seconds of a step, $4 steps, $5 most calls looked at,
-- $6 milliseconds from which a start counts as cold.
with bounds as (
    select to_timestamp((floor(extract(epoch from now()) / $3::float8) - $4::int + 1) * $3::float8)
           as first
),
recent as materialized (
    select e.status, e.run_ms, e.setup_ms, e.peak_memory_bytes, e.queued_at,
           floor(extract(epoch from e.queued_at - bounds.first) / $3::float8)::int as step
    from bounds, execution e
    where e.tenant_id = $1 and e.function_id = $2
      and e.id >= uuid_at((select first from bounds))
      and e.status in ('completed', 'failed', 'cancelled')
    order by e.id desc
    limit $5
)
select grouping(step) = 1 as "is_total!", coalesce(step, 0) as "step!",
       (select first from bounds) as "first!", count(*) as "calls!",
       count(*) filter (where status = 'failed') as "errors!",
       percentile_cont(array[0.5, 0.95, 0.99]) within group (order by run_ms) as "durations?",
       avg(peak_memory_bytes)::float8 as "memory_average?",
       max(peak_memory_bytes) as "memory_peak?",
       (avg((setup_ms >= $6::float8)::int) filter (where setup_ms is not null))::float8
           as "cold_share?",
       min(queued_at) as "oldest?"
from recent
group by grouping sets ((), (step))
