-- Whether the server is a replica, and how many seconds ago what it replayed last was committed.
SELECT pg_catalog.pg_is_in_recovery() AS replica,
       extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::pg_catalog.int8 AS seconds
