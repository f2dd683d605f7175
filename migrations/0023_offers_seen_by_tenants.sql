-- Which toolchains running workers offer is nobody's data: a transaction on behalf of a tenant may ask,
-- although its role may not read the table. Per language, the newest that is offered.
create function offered_toolchains(fresh_seconds float8) returns table (language text, newest int)
language sql stable security definer
set search_path from current
begin atomic
    select o.language, max(o.minor) from toolchain_offer o
    where o.seen_at > now() - make_interval(secs => fresh_seconds)
    group by o.language order by o.language;
end;
