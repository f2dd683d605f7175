-- Behind every query of the API stands the database itself: a transaction on behalf of a tenant sees
-- that tenant's rows and no others, whatever its statements say.
--
-- Such a transaction begins with `set local role apprun_api` and `set local app.tenant`. The role owns
-- nothing and cannot bypass a policy. Where the database's user may not make roles and nobody made this
-- one for them, the policies hold for the owner too, as soon as `app.tenant` is set. Without it the
-- owner sees everything: workers and housekeeping work across tenants.

do $$
begin
    if not exists (select from pg_roles where rolname = 'apprun_api') then
        create role apprun_api nologin nosuperuser nobypassrls nocreatedb nocreaterole noinherit;
    end if;
    if not pg_has_role(current_user, 'apprun_api', 'member') then
        execute format('grant apprun_api to %I', current_user);
    end if;
exception
    -- Not allowed to, or another database of the server is being prepared at this moment.
    when insufficient_privilege or duplicate_object or unique_violation or internal_error then
        raise notice 'apprun_api: %', sqlerrm;
end $$;

-- The tenant on whose behalf a transaction runs; null for the platform itself.
create function current_tenant() returns uuid language sql stable parallel safe
return nullif(current_setting('app.tenant', true), '')::uuid;

-- Puts every table with a tenant's data behind the policies, and gives the role what it needs. Run
-- again after every migration, so that no table is forgotten.
create function protect_tenants() returns void language plpgsql as $$
declare
    found record;
    has_role constant boolean := exists (select from pg_roles where rolname = 'apprun_api');
begin
    if has_role then
        execute format('grant usage on schema %I, q to apprun_api', current_schema());
        grant select, insert on user_account to apprun_api;
    end if;
    for found in
        select c.oid::regclass as name, n.nspname = 'q' as is_queue, c.relname = 'audit' as is_audit,
               case when c.relname = 'tenant' then 'id' else 'tenant_id' end as tenant_column
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition
          and n.nspname in (current_schema(), 'q')
          and (c.relname = 'tenant'
               or exists (select from pg_attribute a where a.attrelid = c.oid
                          and a.attname = 'tenant_id' and not a.attisdropped))
    loop
        if has_role then
            execute format('grant select, insert on %s to apprun_api', found.name);
            if not found.is_audit then
                execute format('grant update, delete on %s to apprun_api', found.name);
            end if;
        end if;
        continue when exists (select from pg_policy where polrelid = found.name::regclass
                              and polname = 'of_tenant');
        execute format('alter table %s enable row level security', found.name);
        -- The owner of the queue is the worker, which looks at all of it many times a second.
        if not found.is_queue then
            execute format('alter table %s force row level security', found.name);
        end if;
        -- As a sub-select it is asked for once a statement, and an index can still answer it.
        execute format('create policy of_tenant on %s using (%I = (select current_tenant()))',
                       found.name, found.tenant_column);
        execute format('create policy of_platform on %s to %I using ((select current_tenant()) is null)',
                       found.name, current_user);
    end loop;
end $$;

-- People and machines belong to no tenant; a tenant sees those with a role in it, and makes machines.
alter table user_account enable row level security;
alter table user_account force row level security;
create policy of_platform on user_account to current_user using ((select current_tenant()) is null);
create policy with_a_role on user_account for select using (
    exists (select from tenant_member t
            where t.user_id = user_account.id and t.tenant_id = (select current_tenant()))
    or exists (select from project_member m
               where m.user_id = user_account.id and m.tenant_id = (select current_tenant()))
);
create policy new_machine on user_account for insert with check (kind = 'machine');

select protect_tenants();
