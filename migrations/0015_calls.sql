-- What a caller may say about a call besides its input, and what people look for in calls later.

alter table execution
    -- Shorter than the version's own limit; null: that one.
    add timeout_ms int check (timeout_ms > 0),
    -- Not to be started before; null: at once.
    add run_at timestamptz,
    -- Told how the call ended.
    add callback_url text,
    -- The execution whose version and input it took.
    add replay_of uuid,
    -- How the attempts before the last one ended, oldest first: an array of objects.
    add earlier_attempts jsonb not null default '[]';

-- How grave a line is, as far as it says so; null in lines from before this column.
alter table execution_log add level text;

-- What did not end well is listed without walking over what did. `reason` stays null in an execution
-- that completes, so this index costs those nothing.
create index execution_reason on execution (project_id, id desc) where reason is not null;
