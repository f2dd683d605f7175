-- What callbacks are signed with is sealed like the secrets of functions, under the same keys. The
-- database holds no key, so what is there already is sealed by the first worker that has one: until
-- then its key id is null, and the bytes are the secret itself.
alter table callback_secret
    add key_id text,
    add previous_key_id text;
