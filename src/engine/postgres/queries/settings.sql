-- Sent first. Read only; never wait long for a lock; names of the default schema come out as people write them.
SET default_transaction_read_only = on;
SET lock_timeout = '5s';
SET search_path = public;
SELECT pg_catalog.version() AS version, pg_catalog.current_setting('server_version_num') AS number;
