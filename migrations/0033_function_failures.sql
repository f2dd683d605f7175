-- The last failure of a function, and the list of its failures, without looking at all that went
-- well. Its condition is one that calls that go well never touch, so they stay as cheap as they are.
create index execution_function_reason on execution (function_id, id desc) where reason is not null;
