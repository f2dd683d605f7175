-- Inserts calls of the version that serves at this moment and the jobs of those that start now, all or none, and shows the function
-- as it is for who calls. A sync call also demands room: its tenant and its function have fewer calls running,
-- or waiting with somebody waiting for them, than they may have running, by $17 at least; see `Room`.
-- $1 ids, $2 inputs, $3 function, $4 tenant, $5 mode, $6 user, $7 request, $8 timeout in ms,
-- $9 seconds to wait, $10 moment to wait for, $11 callback, $12 calls at once by plan, $13 this version
-- instead of the one that serves, $14 trace context, $15 kind and $16 class
-- of the jobs, $17 how much room is left to others, $18 roles that may call.
with callee as materialized (
    select f.id, f.tenant_id, f.project_id, f.name, f.status, v.id as version_id, v.number, v.timeout_seconds,
           v.max_concurrency, v.artifact_key is not null as has_binary,
           t.role as tenant_role, m.role as project_role
    from function f
    left join function_version v on v.function_id = f.id and v.number = coalesce($13, f.current_version)
    left join tenant_member t on t.tenant_id = f.tenant_id and t.user_id = $6
    left join project_member m on m.project_id = f.project_id and m.user_id = $6
    where f.id = $3 and f.tenant_id = $4 and f.deleted_at is null
      and (t.role is not null or m.role is not null)
),
accepted as (
    insert into execution (id, tenant_id, project_id, function_id, version_id, version_number, mode, status,
                           input, created_by, request_id, timeout_ms, run_at, callback_url, traceparent)
    select c.id, f.tenant_id, f.project_id, f.id, f.version_id, f.number, $5, 'pending',
           c.input, $6, $7, $8, coalesce($10, now() + make_interval(secs => $9)), $11, $14
    from callee f cross join unnest($1::uuid[], $2::text[]) as c (id, input)
    where f.has_binary
      and (f.tenant_role = any($18::text[]) or f.project_role = any($18))
      and coalesce($8::int, 0) <= 1000 * f.timeout_seconds
      and ($12::jsonb is null or (
          select $17 + count(*) < (select ($12 ->> t.plan)::bigint from tenant t where t.id = f.tenant_id)
                 and (f.max_concurrency is null
                      or $17 + count(*) filter (where busy.function_id = f.id) < f.max_concurrency)
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
)
select f.project_id, f.name, f.status, f.timeout_seconds as "timeout_seconds?",
       f.tenant_role as "tenant_role?", f.project_role as "project_role?",
       a.version_number as "version_number?", a.run_at as "run_at?",
       case when a.version_number is not null then pg_current_xact_id()::text end as number
from callee f left join (select version_number, run_at from accepted limit 1) a on true
