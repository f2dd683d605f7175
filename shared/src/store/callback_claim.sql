-- Takes messages that are due and begins an attempt of each. $1 how many, $2 seconds of an attempt.
with due as (
    update callback set attempts = attempts + 1, due_at = now() + make_interval(secs => $2)
    where execution_id in (
        select execution_id from callback where due_at <= now()
        order by due_at limit $1 for update skip locked
    )
    returning execution_id, tenant_id, project_id, url, attempts
)
select due.execution_id as "execution_id!", due.tenant_id as "tenant_id!", due.url as "url!",
       due.attempts as "attempts!",
       due.project_id as "project_id!", s.secret as "secret?", s.key_id,
       case when s.previous_until > now() then s.previous end as previous, s.previous_key_id,
       e.function_id as "function_id?", e.version_number as "version_number?", e.status as "status?",
       e.reason, e.error_message, e.output, e.run_ms, e.attempt as "attempt?",
       e.request_id as "request_id?", e.queued_at as "queued_at?", e.started_at, e.completed_at
from due
left join execution e on e.id = due.execution_id
left join callback_secret s on s.project_id = due.project_id
