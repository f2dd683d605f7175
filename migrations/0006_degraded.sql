-- Layers of isolation that a worker was allowed to start without, by name; empty for a worker that
-- isolates in full. On the lease for whoever asks how things are, on each execution for good.

alter table q.lease add degraded text[] not null default '{}';
alter table execution add degraded text[] not null default '{}';
