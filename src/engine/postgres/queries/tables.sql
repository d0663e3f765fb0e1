-- Tables, partitioned tables and foreign tables of all schemas but the system's. Tables that an extension made are left
-- out unless a foreign key refers to them.
-- Every function is qualified and every comparison is between values of one type, so that nothing a user put into
-- `public` can stand in for the system's.
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
       c.relispartition AS is_partition, c.reltuples AS rows, c.relpages AS pages,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS readable,
       -- Whether policies hide rows from this session, whatever row_security is set to: not from superusers, roles with
       -- BYPASSRLS, and owners without FORCE (manual, 5.8).
       c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS filtered, c.relforcerowsecurity AS forced,
       pg_catalog.to_json(ARRAY(SELECT p.polname FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname))
           AS policies,
       ARRAY(SELECT h.inhparent FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid ORDER BY h.inhseqno) AS parents,
       d.description AS comment
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description d
       ON d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AND d.objoid = c.oid AND d.objsubid = 0
WHERE c.relkind IN ('r', 'p', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                   WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
                     AND e.objid = c.oid AND e.deptype = 'e')
       OR EXISTS (SELECT FROM pg_catalog.pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f'))
