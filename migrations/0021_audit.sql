-- The audit record is only ever added to, by whomever: what happened cannot be made undone.

alter table audit add user_agent text;
create index audit_request on audit (request_id);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the audit record is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_stays before update or delete on audit
    for each row execute function audit_is_append_only();
create trigger audit_is_not_emptied before truncate on audit
    for each statement execute function audit_is_append_only();
