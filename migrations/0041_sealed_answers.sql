-- Answers kept for repeated requests may hold tokens that are shown once, so they are sealed, under a key
-- made from the secret of the API. A program of the version before keeps `answer` and `location` as they
-- are, and finds a request whose answer is sealed still running.
alter table idempotency_key add sealed bytea;
