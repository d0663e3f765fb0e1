-- Indexes, one row each.
SELECT i.indrelid AS "table", ic.relname AS name, am.amname AS method, i.indisunique AS "unique", i.indisvalid AS valid,
       i.indnkeyatts AS key_columns, i.indkey AS numbers, i.indoption AS options, i.indexprs AS expressions,
       i.indpred AS predicate
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_catalog.pg_am am ON am.oid = ic.relam
ORDER BY ic.relname
