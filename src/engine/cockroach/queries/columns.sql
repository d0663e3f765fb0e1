-- Columns with their numbers, by which constraints and indexes name them.
SELECT a.attrelid AS "table", a.attnum AS number, a.attname AS name, a.attnotnull AS not_null,
       t.typname AS type_name, t.typtype AS type_kind
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
