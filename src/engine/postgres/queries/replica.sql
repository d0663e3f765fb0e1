-- Whether the server is a replica, and how many seconds ago what it replayed last was committed; only a replica is asked that.
SELECT pg_catalog.pg_is_in_recovery() AS replica,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN extract(epoch FROM pg_catalog.clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp())::pg_catalog.int8
       END AS seconds
