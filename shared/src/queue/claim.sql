-- Classes 0 and 1 are calls, class 2 builds. Two index scans, each stopping after its limit;
-- SKIP LOCKED steps over what another worker is claiming at this moment.
with live as (
    select id from q.lease where id = $1 and expires_at > now()
),
calls as (
    select id from q.job
    where state = 'ready' and class < 2
    order by class, id
    limit $2
    for update skip locked
),
builds as (
    select id from q.job
    where state = 'ready' and class = 2
    order by id
    limit $3
    for update skip locked
),
picked as (
    select id from calls
    union all
    select id from builds
)
update q.job
set state = 'running',
    lease_id = (select id from live),
    token = nextval('q.fencing_token'),
    claimed_at = now()
where id in (select id from picked) and exists (select 1 from live)
returning id, token as "token!", kind, subject_id, tenant_id, request_id, attempt, redeliveries
