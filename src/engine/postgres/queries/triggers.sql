-- Triggers that users made, and the functions that they run.
SELECT t.tgrelid AS "table", t.tgname AS name, t.tgtype AS bits, t.tgenabled AS enabled,
       pg_catalog.array_to_string(t.tgattr::pg_catalog.int2[], ',') AS columns, t.tgqual IS NOT NULL AS conditional,
       CASE WHEN t.tgqual IS NOT NULL THEN pg_catalog.pg_get_triggerdef(t.oid) END AS definition,
       fn.nspname AS function_schema, f.proname AS function, l.lanname AS language,
       CASE WHEN l.lanname = 'plpgsql' THEN f.prosrc END AS body,
       pg_catalog.md5(pg_catalog.concat_ws('|', t.tgtype, pg_catalog.encode(t.tgargs, 'hex'), fn.nspname, f.proname, l.lanname, f.prosrc, f.proconfig, f.prosecdef, pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.pg_get_triggerdef(t.oid), '("[^"]+"|[[:<:]](?!old[.]|new[.])[[:alpha:]_][[:alnum:]_]*)[.]', '', 'gi'), 'OPERATOR|[()]', '', 'g'))) AS print
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
LEFT JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_language l ON l.oid = f.prolang
WHERE NOT t.tgisinternal
