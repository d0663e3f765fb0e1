-- What ANALYZE counted: the first number of each text is the rows of the table, or of the index.
SELECT tbl, max(CAST(stat AS INTEGER)) AS row_count
FROM main.sqlite_stat1
GROUP BY tbl
