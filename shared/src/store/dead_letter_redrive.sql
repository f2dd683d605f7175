-- Marks dead letters as dealt with and inserts the executions that repeat them, for those that can still
-- be run.
-- $1 dead letters, $2 the ids of their successors, $3 tenant, $4 request, $5 trace context.
with kept as materialized (
    -- Until this transaction ends nobody gives these versions up; afterwards the jobs keep them.
    select v.id from function_version v
    where v.artifact_key is not null
      and v.id in (select e.version_id from execution e
                   where e.id = any ($1) and e.tenant_id = $3 and e.dead_letter)
    order by v.id
    for share of v
),
dead as (
    update execution e set dead_letter = false
    from unnest($1::uuid[], $2::uuid[]) as again (dead, id), function f, kept
    where e.id = again.dead and e.id = any ($1) and e.tenant_id = $3 and e.dead_letter
      and f.id = e.function_id and f.deleted_at is null and kept.id = e.version_id
    returning again.id as again, e.*
)
insert into execution (id, tenant_id, project_id, function_id, version_id, version_number, mode, status,
                       input, created_by, request_id, timeout_ms, callback_url, replay_of, traceparent)
select again, tenant_id, project_id, function_id, version_id, version_number, mode, 'pending',
       input, created_by, $4, timeout_ms, callback_url, id, $5
from dead
returning id, replay_of as "dead!", function_id
