-- Secrets of function versions, encrypted. What is sealed is bound to the function and the name, not
-- to the version: a new version takes over what was not changed, without anybody decrypting it.
create table function_secret (
    version_id uuid not null references function_version (id),
    name text not null,
    tenant_id uuid not null,
    function_id uuid not null,
    -- Which key sealed it; the key itself is in the configuration only.
    key_id text not null,
    -- Nonce and ciphertext: XChaCha20-Poly1305.
    sealed bytea not null,
    primary key (version_id, name)
);
create index function_secret_key on function_secret (key_id);

-- So that a call of a version without secrets asks for none.
alter table function_version add secret_names text[] not null default '{}';
