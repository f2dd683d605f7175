-- How many executions there are, by status; to be planned for its values.
-- $1 tenant, $2 project, $3 function, $4 status, $5 reason, $6 caller, $7 request, $8 dead letters only,
-- $9 only what did not end well, $10 accepted since, $11 accepted before.
select status, count(*) as "count!"
from execution
where tenant_id = $1
  and ($2::uuid is null or project_id = $2)
  and ($3::uuid is null or function_id = $3)
  and ($4::text is null or status = $4)
  and ($5::text is null or reason = $5)
  and ($6::uuid is null or created_by = $6)
  and ($7::uuid is null or request_id = $7)
  and (not $8::bool or dead_letter)
  and (not $9::bool or reason is not null)
  and ($10::timestamptz is null or id >= uuid_at($10))
  and ($11::timestamptz is null or id < uuid_at($11))
group by status
