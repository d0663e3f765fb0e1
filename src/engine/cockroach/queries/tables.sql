-- Tables of all schemas but the system's. Only plain columns: on CockroachDB the catalog is made up on the fly, and a function
-- for each row costs a look-up for each row.
SELECT c.oid, n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('crdb_internal', 'information_schema', 'pg_catalog', 'pg_extension')
