-- One function as a user sees it. $1 tenant, $2 user, $3 function.
select f.id, f.project_id, f.name, f.description, v.trigger, f.status, f.created_at, f.updated_at,
       v.number as version, f.latest_version, f.created_by, v.runtime, v.timeout_seconds, v.memory_mib, v.network,
       t.role as "tenant_role?", m.role as "project_role?"
from function f
join function_version v
    on v.function_id = f.id and v.number = coalesce(f.current_version, f.latest_version)
left join tenant_member t on t.tenant_id = f.tenant_id and t.user_id = $2
left join project_member m on m.project_id = f.project_id and m.user_id = $2
where f.id = $3 and f.tenant_id = $1 and f.deleted_at is null
  and (t.role is not null or m.role is not null)
