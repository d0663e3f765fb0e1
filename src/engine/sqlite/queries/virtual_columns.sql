-- The columns of virtual tables. Apart, because it fails where a table's module is not loaded; hidden: 1 is an argument.
SELECT t.name AS table_name, c.name, c.type, c."notnull", c.dflt_value, c.pk, c.hidden
FROM pragma_table_list AS t
JOIN pragma_table_xinfo(t.name, 'main') AS c
WHERE t.schema = 'main' AND t.type = 'virtual' AND c.hidden <> 1
ORDER BY t.name, c.cid
