-- Triggers that users made.
SELECT t.tgrelid AS "table", t.tgname AS name, t.tgtype AS bits, t.tgenabled AS enabled
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
WHERE NOT t.tgisinternal
