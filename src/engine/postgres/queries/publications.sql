-- The publications that tables' changes go into, and the tables with a replica identity other than the primary key.
-- Lists of columns and conditions on rows came with version 15.
SELECT c.oid AS "table", c.relreplident AS identity,
       (SELECT pg_catalog.array_to_string(i.indkey::pg_catalog.int2[], ',') FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid) AS identity_columns,
       p.pubname AS name, p.pubupdate AS "update", p.pubdelete AS "delete",
       -- One that names neither the table nor its partitioned table takes whole schemas (version 15).
       coalesce(p.pubinsert AND (p.puballtables OR r.prrelid IS NULL AND NOT c.relispartition), false) AS new_tables,
       pg_catalog.to_jsonb(r) ->> 'prattrs' AS columns, pg_catalog.to_jsonb(t) ->> 'rowfilter' AS filter
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
LEFT JOIN pg_catalog.pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname
LEFT JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND (p.oid IS NOT NULL OR c.relreplident <> 'd')
