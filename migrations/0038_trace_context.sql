-- Where a call or build stands in its caller's trace: a W3C traceparent, handed on to the function.
-- Null in rows of programs that do not write it.

alter table execution add traceparent text;
alter table build add traceparent text;
