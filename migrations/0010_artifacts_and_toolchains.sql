-- Binaries that no version refers to are removed after a while, and what the running workers can build
-- with is known to everybody.

-- Built or found again: a row is only removed when this is long ago, so that a build that found it has
-- time to refer to it.
alter table artifact add used_at timestamptz not null default now();
create index artifact_sha256 on artifact (sha256);
create index function_version_artifact on function_version (artifact_key) where artifact_key is not null;

-- One row per toolchain of a running worker, renewed by it; one that is not renewed counts for nothing.
create table toolchain_offer (
    -- Name of the worker, for people.
    worker text not null,
    language text not null check (language in ('go', 'rust')),
    -- The newest language version that it serves: the N of Go 1.N; 0 for Rust.
    minor int not null,
    -- As the toolchain says it.
    version text not null,
    seen_at timestamptz not null default now(),
    primary key (worker, language)
);
