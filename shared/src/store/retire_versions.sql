-- Gives up those of these versions that nothing live belongs to, and counts them.
-- $1 versions, $2 their function.
with live as (
    select e.version_id
    from (
        select j.subject_id from q.job j where j.function_id = $2 and j.kind = 'execute'
        union all
        select l.subject_id from q.later l where l.function_id = $2 and l.kind = 'execute'
    ) job
    join execution e on e.id = job.subject_id
    union all
    select v.id
    from build b
    join function_version v on coalesce(v.built_as, v.id) = b.version_id
    where b.function_id = $2 and b.status in ('pending', 'running')
),
removed as (
    update function_version
    set removed_at = now(), artifact_key = null, env = '{}', secret_names = '{}'
    where id = any ($1) and removed_at is null
      and not exists (select from live where live.version_id = function_version.id)
    returning id
),
secrets as (
    delete from function_secret s using removed where s.version_id = removed.id
)
select count(*) as "count!" from removed
