-- The columns of all foreign keys; "to" is NULL where the parent's primary key is meant. The ids of a table's keys run
-- against the order of declaration.
SELECT t.name AS table_name, f.id, f."table" AS parent, f."from", f."to", f.on_update, f.on_delete
FROM pragma_table_list AS t
JOIN pragma_foreign_key_list(t.name, 'main') AS f
WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\'
ORDER BY t.name, f.id DESC, f.seq
