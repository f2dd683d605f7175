-- Versions of a function that were not cleaned up, newest first.
-- $1 tenant, $2 function, $3 only this number, $4 behind this number, $5 rows.
select v.id, v.number, v.runtime, v.timeout_seconds, v.memory_mib, v.network, v.trigger, v.events, v.env,
       v.secret_names, v.max_concurrency, v.max_retries, v.retry_initial_delay_ms,
       v.retry_max_delay_ms, v.retry_backoff_factor, v.created_by, v.created_at,
       v.number is not distinct from f.current_version as "serves!",
       b.id as build_id, b.status as build_status, v.artifact_key is not null as "has_binary!"
from function f
join function_version v on v.function_id = f.id
join lateral (
    select b.id, b.status from build b
    where b.version_id = coalesce(v.built_as, v.id)
    order by b.id desc limit 1
) b on true
where f.id = $2 and f.tenant_id = $1 and v.removed_at is null
  -- Conditions on the index, whatever plan is kept.
  and v.number >= coalesce($3::int, 0)
  and v.number <= coalesce($3::int, $4::int - 1, 2147483647)
order by v.number desc
limit $5
