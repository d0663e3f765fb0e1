-- What pg_attribute does not say as well: the type as CockroachDB writes it, defaults, computed columns.
SELECT table_schema AS schema, table_name AS "table", column_name AS name, crdb_sql_type AS type,
       column_default AS default, is_identity AS identity, generation_expression AS generated, collation_name AS collation
FROM information_schema.columns
WHERE table_schema NOT IN ('crdb_internal', 'information_schema', 'pg_catalog', 'pg_extension')
