-- One execution as a user sees it, with the log of its last attempt. $1 tenant, $2 user, $3 execution.
select e.function_id, e.version_number, e.mode, e.status, e.reason, e.error_message,
       e.queue_ms, e.setup_ms, e.run_ms, e.store_ms, e.peak_memory_bytes, e.attempt, e.worker,
       e.created_by, e.request_id, e.replay_of, e.run_at, e.queued_at, e.started_at, e.completed_at,
       e.input, e.output, e.earlier_attempts, e.logs_truncated, e.degraded,
       t.role as "tenant_role?", m.role as "project_role?",
       coalesce(
           (select string_agg(l.line, e'\n' order by l.seq)
            from execution_log l
            where l.execution_id = e.id and l.attempt = e.attempt),
           '') as "logs!"
from execution e
left join tenant_member t on t.tenant_id = e.tenant_id and t.user_id = $2
left join project_member m on m.project_id = e.project_id and m.user_id = $2
where e.id = $3 and e.tenant_id = $1
  and (t.role is not null or m.role is not null)
