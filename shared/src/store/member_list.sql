-- The people with a role in a project.
-- $1 tenant, $2 project, $3 this one only, $4 behind this one, $5 rows.
select u.id, u.email, u.name, t.role as "tenant_role?", m.role as "project_role?",
       coalesce(m.created_at, t.created_at) as "since!"
from (
    select user_id from tenant_member where tenant_id = $1
    union
    select user_id from project_member where project_id = $2 and tenant_id = $1
) involved
join user_account u on u.id = involved.user_id and u.kind = 'person'
left join tenant_member t on t.tenant_id = $1 and t.user_id = u.id
left join project_member m on m.project_id = $2 and m.user_id = u.id
where ($3::uuid is null or u.id = $3)
  and ($4::uuid is null or u.id > $4)
order by u.id
limit $5
