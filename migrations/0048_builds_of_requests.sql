-- Support looks a request up and finds the builds that it asked for.
create index build_request on build (request_id);
