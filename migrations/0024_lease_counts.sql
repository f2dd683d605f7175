-- What a worker did with the queue since it started, one object per class: written with each beat, so
-- that `apprun queue` can show it without asking the workers.
alter table q.lease add counts jsonb not null default '[]';
