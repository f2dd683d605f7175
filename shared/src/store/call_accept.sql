-- Inserts calls of the version that serves at this moment and their jobs, all or none. A sync call
-- also demands room: its tenant and its function have fewer calls running, or waiting with somebody
-- waiting for them, than they may have running, by $17 at least; see `Room`.
-- $1 ids, $2 inputs, $3 function, $4 tenant, $5 mode, $6 user, $7 request, $8 timeout in ms,
-- $9 seconds to wait, $10 moment to wait for, $11 callback, $12 calls at once by plan, $13 this version
-- instead of the one that serves, $14 trace context, $15 kind and $16 class
-- of the jobs, $17 how much room is left to others.
with accepted as (
    insert into execution (id, tenant_id, project_id, function_id, version_id, version_number, mode, status,
                           input, created_by, request_id, timeout_ms, run_at, callback_url, traceparent)
    select c.id, f.tenant_id, f.project_id, f.id, v.id, v.number, $5, 'pending',
           c.input, $6, $7, $8, coalesce($10, now() + make_interval(secs => $9)), $11, $14
    from function f
    join function_version v on v.function_id = f.id and v.number = coalesce($13, f.current_version)
    cross join unnest($1::uuid[], $2::text[]) as c (id, input)
    where f.id = $3 and f.tenant_id = $4 and f.deleted_at is null and v.artifact_key is not null
      and ($12::jsonb is null or (
          select $17 + count(*) < (select ($12 ->> t.plan)::bigint from tenant t where t.id = f.tenant_id)
                 and (v.max_concurrency is null
                      or $17 + count(*) filter (where busy.function_id = f.id) < v.max_concurrency)
          from (
              select j.function_id from q.job j
              where j.lease_id is not null and j.tenant_id = f.tenant_id and j.class < 2
              union all
              select j.function_id from q.job j
              where j.lease_id is null and j.class = 0 and j.tenant_id = f.tenant_id
          ) busy))
    returning id, tenant_id, function_id, version_number, run_at
),
pushed as (
    insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id)
    select $15, id, $16, tenant_id, function_id, $7 from accepted where run_at is null
),
put_off as (
    insert into q.later (kind, subject_id, class, tenant_id, function_id, request_id, attempt,
                         redeliveries, cancel_requested, enqueued_at, due_at)
    select $15, id, $16, tenant_id, function_id, $7, 1, 0, false, now(), run_at
    from accepted where run_at is not null
)
select version_number, run_at, pg_current_xact_id()::text as "number!" from accepted limit 1
