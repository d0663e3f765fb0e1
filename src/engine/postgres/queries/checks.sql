-- CHECK constraints of tables (not of domains).
SELECT k.conrelid AS "table", k.conname AS name, pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression,
       k.convalidated AS validated
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
WHERE k.contype = 'c'
