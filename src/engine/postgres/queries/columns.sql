-- Columns, their types resolved through domains; the operator by which values of a type are equal, where an unqualified `=`
-- may be taken for another: that of a type whose operators do not lie in pg_catalog (citext), and the system's own wherever
-- somebody made a `=` that is not simply the one of a type of theirs.
WITH RECURSIVE equalities AS (
    SELECT DISTINCT ON (k.opcintype) k.opcintype AS type, n.nspname AS schema, o.oprname AS name
    FROM pg_catalog.pg_opclass k
    JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod AND m.amname IN ('btree', 'hash')
    JOIN pg_catalog.pg_amop a ON a.amopfamily = k.opcfamily AND a.amoplefttype = k.opcintype
         AND a.amoprighttype = k.opcintype
         AND a.amopstrategy = CASE m.amname WHEN 'btree' THEN 3::pg_catalog.int2 ELSE 1::pg_catalog.int2 END
    JOIN pg_catalog.pg_operator o ON o.oid = a.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
    WHERE k.opcdefault
    ORDER BY k.opcintype, m.amname
), others AS (
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_operator o
        JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
        LEFT JOIN equalities e ON e.type = o.oprleft AND e.type = o.oprright AND e.schema = n.nspname AND e.name = o.oprname
        JOIN pg_catalog.pg_type l ON l.oid = o.oprleft
        JOIN pg_catalog.pg_namespace l_n ON l_n.oid = l.typnamespace
        WHERE o.oprname = '=' AND (e.type IS NULL OR l_n.nspname = 'pg_catalog')
    ) AS any
), domains AS (
    SELECT t.oid AS domain, t.typbasetype AS base, t.typtypmod AS modifier, t.typnotnull AS not_null,
           t.typdefault AS default_text
    FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.domain, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE d.modifier END,
           d.not_null OR t.typnotnull, coalesce(d.default_text, t.typdefault)
    FROM domains d JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
)
SELECT a.attrelid AS "table", a.attnum AS number, a.attname AS name,
       pg_catalog.format_type(coalesce(d.base, a.atttypid), coalesce(d.modifier, a.atttypmod)) AS type,
       b.typtype AS type_kind,
       CASE WHEN b.typtype = 'e' THEN pg_catalog.array_to_string(ARRAY(
           SELECT v.enumlabel FROM pg_catalog.pg_enum v WHERE v.enumtypid = b.oid ORDER BY v.enumsortorder), E'\n')
       END AS labels,
       CASE WHEN d.domain IS NOT NULL THEN pg_catalog.format_type(a.atttypid, NULL) END AS domain,
       -- PostgreSQL 18 sets attnotnull for a NOT NULL that is NOT VALID too: whatever is written from now on obeys it.
       a.attnotnull OR coalesce(d.not_null, false) AS not_null,
       coalesce(pg_catalog.pg_get_expr(e.adbin, e.adrelid), d.default_text) AS default,
       a.attgenerated AS generated, a.attidentity AS identity,
       CASE WHEN l.collname <> 'default' THEN
           CASE WHEN ln.nspname IN ('pg_catalog', 'public') THEN l.collname::pg_catalog.text
                ELSE pg_catalog.concat(ln.nspname, '.', l.collname) END
       END AS collation,
       l.collisdeterministic AS deterministic,
       CASE WHEN q.schema <> 'pg_catalog' OR others.any
            THEN pg_catalog.concat(pg_catalog.quote_ident(coalesce(q.schema, 'pg_catalog')::pg_catalog.text), '.',
                                   coalesce(q.name, '=')) END AS equality,
       -- Also where the whole table may be read.
       pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS readable,
       c.description AS comment
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class r ON r.oid = a.attrelid AND r.relkind IN ('r', 'p', 'f')
JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
LEFT JOIN domains d ON d.domain = a.atttypid
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = d.base AND t.typtype = 'd')
JOIN pg_catalog.pg_type b ON b.oid = coalesce(d.base, a.atttypid)
LEFT JOIN equalities q ON q.type = b.oid
CROSS JOIN others
LEFT JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
LEFT JOIN pg_catalog.pg_description c
       ON c.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AND c.objoid = a.attrelid
      AND c.objsubid = a.attnum::pg_catalog.int4
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
