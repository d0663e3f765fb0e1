-- Primary keys, unique constraints, foreign keys and checks. CockroachDB has no deferrable constraints.
SELECT k.conrelid AS "table", k.conname AS name, k.contype AS kind, k.conkey AS columns, k.confrelid AS parent,
       k.confkey AS parent_columns, k.confdeltype AS on_delete, k.confupdtype AS on_update, k.confmatchtype AS matching,
       k.convalidated AS validated, k.condef AS definition
FROM pg_catalog.pg_constraint k
WHERE k.contype IN ('c', 'f', 'p', 'u')
ORDER BY k.conname
