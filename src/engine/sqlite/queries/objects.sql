-- Everything that was created, in the order SQLite reads it, with its CREATE text.
SELECT rowid, type, name, tbl_name, sql
FROM main.sqlite_schema
ORDER BY rowid
