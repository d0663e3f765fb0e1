-- Sent first. Read only; never wait long for a lock; names of the default schema come out as people write them.
SET default_transaction_read_only = on;
SET lock_timeout = '5s';
SET search_path = public;
-- What is between quotes is what the reader of SQL takes it for.
SET standard_conforming_strings = on;
SELECT pg_catalog.version() AS version, pg_catalog.current_setting('server_version_num') AS number;
