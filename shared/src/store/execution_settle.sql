-- Deletes the job and writes the outcome of its execution with the log of the last attempt, all of it
-- or nothing. No row: the claim is stale, or the execution ended already.
-- $1 execution, $2 job, $3 token, $4 status, $5 reason, $6 output, $7 error, $8 setup in ms, $9 run in ms,
-- $10 processor time in ms, $11 peak memory in bytes, $12 exit status, $13 signal, $14 log truncated,
-- $15 attempt, $16 to $19 the log's times, streams, levels and lines.
with settled as materialized (
    delete from q.job
    where id = $2 and token = $3
      -- Also from pending: a crash of the server may have forgotten the start, which is not flushed, and
      -- kept the claim, which the token proves. Nobody but the claim's holder ends it meanwhile.
      and exists (select from execution where id = $1 and status in ('pending', 'running'))
    returning token
),
ended as (
    update execution e
    set status = $4, dead_letter = mode = 'async' and $4 = 'failed', reason = $5, output = $6,
        error_message = $7, setup_ms = $8::float8, run_ms = $9::float8, cpu_ms = $10,
        peak_memory_bytes = $11, exit_status = $12, signal = $13, logs_truncated = $14, attempt = $15,
        completed_at = clock_timestamp(),
        -- The wait before the attempt; and what is left of the total.
        queue_ms = 1000 * extract(epoch from started_at - greatest(queued_at, run_at)),
        store_ms = greatest(0, 1000 * extract(epoch from clock_timestamp() - started_at) - $8::float8 - $9::float8)
    from settled
    where e.id = $1
    returning e.tenant_id, e.function_id, e.queue_ms, e.store_ms
),
logged as (
    insert into execution_log (execution_id, tenant_id, function_id, attempt, seq, at, stream, level, line)
    -- Lines are counted through all attempts of an execution.
    select $1, ended.tenant_id, ended.function_id, $15, earlier.lines + row_number() over (),
           l.at, l.stream, l.level, l.line
    from ended, unnest($16::timestamptz[], $17::text[], $18::text[], $19::text[]) as l (at, stream, level, line),
         (select coalesce(max(seq), 0) as lines from execution_log
          where execution_id = $1 and $15 > 1) as earlier
)
select coalesce(queue_ms, 0) as "queue_ms!", coalesce(store_ms, 0) as "store_ms!" from ended
