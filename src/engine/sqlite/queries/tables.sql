-- Tables and virtual tables; not views, not the tables in which virtual tables keep their rows, not SQLite's own.
SELECT name, type, wr, strict
FROM pragma_table_list
WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
