-- The parts of all indexes; origin: c CREATE INDEX, u UNIQUE, pk PRIMARY KEY; cid -1 is the rowid, -2 an expression.
SELECT t.name AS table_name, i.name, i."unique", i.origin, p.cid, p.name AS column_name, p."desc", p.coll
FROM pragma_table_list AS t
JOIN pragma_index_list(t.name, 'main') AS i
JOIN pragma_index_xinfo(i.name, 'main') AS p
WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND p.key = 1
ORDER BY t.name, i.name, p.seqno
