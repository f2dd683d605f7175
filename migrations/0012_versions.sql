-- Versions that differ in settings only, and which of them serves: the last decision wins.

alter table function
    -- A version's own since it can change with one; written and read no more.
    alter column trigger set default 'http',
    -- A build lets its version serve only when that is newer than this: the newest that ever served,
    -- or the newest there was when somebody went back to an earlier one. So a build that takes long
    -- never undoes what was decided after it was asked for.
    add switch_floor int not null default 0;
update function set switch_floor = current_version where current_version is not null;

alter table function_version
    -- The version that brought the source, and whose build this one shares; null: itself.
    add built_as uuid references function_version (id),
    add trigger text not null default 'http' check (trigger in ('http', 'event')),
    -- What it is called for, when its trigger is 'event'.
    add events text[] not null default '{}',
    -- Plain variables: a JSON object, name to value.
    add env jsonb not null default '{}',
    -- When its source and its hold on an artifact were given up; it can never serve again.
    add removed_at timestamptz;
create index function_version_built_as on function_version (built_as) where built_as is not null;
update function_version v set trigger = f.trigger from function f where f.id = v.function_id;

-- Housekeeping comes back until a deleted function is cleaned up.
alter table function add cleaned_at timestamptz;
create index function_deleted on function (id) where deleted_at is not null and cleaned_at is null;
