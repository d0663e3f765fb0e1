-- The database or roles whose sessions begin with session_replication_role = replica: no foreign key and no trigger acts in them.
SELECT CASE WHEN r.rolname IS NOT NULL THEN 'role ' || pg_catalog.quote_ident(r.rolname)
            ELSE 'database ' || pg_catalog.quote_ident(pg_catalog.current_database()) END AS whose
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
  AND 'session_replication_role=replica' = ANY (s.setconfig)
ORDER BY whose
