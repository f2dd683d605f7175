-- The functions a user sees, newest first.
-- $1 tenant, $2 user, $3 of this project only, $4 in this status only, $5 behind this id, $6 rows,
-- $7 with this text in the name.
select f.id, f.project_id, f.name, f.description, v.trigger, f.status, f.created_at, f.updated_at,
       v.number as version, f.latest_version, f.created_by, v.runtime, v.timeout_seconds, v.memory_mib, v.network,
       t.role as "tenant_role?", m.role as "project_role?"
from function f
join function_version v
    on v.function_id = f.id and v.number = coalesce(f.current_version, f.latest_version)
left join tenant_member t on t.tenant_id = f.tenant_id and t.user_id = $2
left join project_member m on m.project_id = f.project_id and m.user_id = $2
where f.tenant_id = $1 and f.deleted_at is null
  and (t.role is not null or m.role is not null)
  and ($3::uuid is null or f.project_id = $3)
  and ($4::text is null or f.status = $4)
  and ($5::uuid is null or f.id < $5)
  and ($7::text is null or strpos(lower(f.name), lower($7)) > 0)
order by f.id desc
limit $6
