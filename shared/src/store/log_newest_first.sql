-- Lines that the executions of a function wrote, newest first; to be planned for its values.
-- $1 tenant, $2 function, $3 execution, $4 status of its execution, $5 levels, $6 text, $7 since,
-- $8 before, $9 behind this line and $10 before this line of an execution, $11 to $14 behind this
-- place, $15 rows.
select execution_id, attempt, seq, at, stream, level, line
from execution_log l
where function_id = $2 and tenant_id = $1
  and ($3::uuid is null or execution_id = $3)
  and ($4::text is null
       or exists (select 1 from execution e where e.id = l.execution_id and e.status = $4))
  and ($5::text[] is null or level = any ($5))
  and ($6::text is null or position(lower($6) in lower(line)) > 0)
  and ($7::timestamptz is null or at >= $7)
  and ($8::timestamptz is null or at < $8)
  and ($9::int is null or seq > $9)
  and ($10::int is null or seq < $10)
  and ($11::timestamptz is null
       or (at, execution_id, attempt, seq) < ($11, $12::uuid, $13::int, $14::int))
order by at desc, execution_id desc, attempt desc, seq desc
limit $15
