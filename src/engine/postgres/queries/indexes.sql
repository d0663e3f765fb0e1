-- Indexes, one row for each part; the constraint behind an index, if there is one.
SELECT i.indrelid AS "table", i.indexrelid AS index, ic.relname AS name, am.amname AS method,
       i.indisunique AS "unique", i.indisvalid AND i.indisready AND i.indislive AS valid,
       -- PostgreSQL 15: a column that older ones do not have.
       coalesce(pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct', 'f') IN ('t', 'true') AS nulls_equal,
       pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
       k.conname AS "constraint", k.contype AS constraint_kind, k.condeferrable AS "deferrable",
       p.part AS part, p.part > i.indnkeyatts::pg_catalog.int4 AS included,
       i.indkey[p.part - 1] AS number,
       CASE WHEN i.indkey[p.part - 1] = 0::pg_catalog.int2
            THEN pg_catalog.pg_get_indexdef(i.indexrelid, p.part, true) END AS expression,
       -- indoption, bit 0: sorted downwards (manual, pg_index).
       coalesce(i.indoption[p.part - 1]::pg_catalog.int4 & 1, 0) = 1 AS descending,
       CASE WHEN coalesce(a.attcollation, l.oid) <> l.oid OR a.attnum IS NULL AND l.collname <> 'default' THEN
           CASE WHEN ln.nspname IN ('pg_catalog', 'public') THEN l.collname::pg_catalog.text
                ELSE pg_catalog.concat(ln.nspname, '.', l.collname) END
       END AS collation,
       CASE WHEN NOT o.opcdefault THEN o.opcname END AS operator_class
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
JOIN pg_catalog.pg_am am ON am.oid = ic.relam
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnatts::pg_catalog.int4) AS p (part)
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.part - 1] AND a.attnum <> 0
LEFT JOIN pg_catalog.pg_collation l ON l.oid = i.indcollation[p.part - 1]
LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
LEFT JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[p.part - 1]
LEFT JOIN pg_catalog.pg_constraint k
       ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
ORDER BY i.indexrelid, p.part
