-- Foreign keys: one row for each logical key. Those that a partitioned table's key has on each partition have a
-- conparentid and are left out.
-- to_jsonb reads what only newer versions have: confdelsetcols (15), conenforced and conperiod (18).
SELECT k.oid, k.conrelid AS "table", k.conname AS name, k.confrelid AS parent, k.conkey AS columns,
       k.confkey AS parent_columns, k.confdeltype AS on_delete, k.confupdtype AS on_update, k.confmatchtype AS matching,
       k.condeferrable AS "deferrable", k.condeferred AS deferred, k.convalidated AS validated,
       pg_catalog.to_jsonb(k) OPERATOR(pg_catalog.->>) 'confdelsetcols' AS set_columns,
       pg_catalog.to_jsonb(k) OPERATOR(pg_catalog.->>) 'conenforced' AS enforced,
       pg_catalog.to_jsonb(k) OPERATOR(pg_catalog.->>) 'conperiod' AS temporal,
       t.child_off, t.parent_off, t.delete_trigger, d.description AS comment,
       -- What the check compares, column by column, for the plan of its query: the parent's type, the operator, the
       -- collation where the check names one (ri_triggers.c: the parent's, if it differs and is not deterministic), and the
       -- type that the child's value is cast to where the operator takes another (generate_operator_clause in ruleutils.c).
       pg_catalog.to_json(ARRAY(
           SELECT ARRAY[pg_catalog.format_type(pa.atttypid, pa.atttypmod),
                        pg_catalog.concat('OPERATOR(', pg_catalog.quote_ident(o_n.nspname::pg_catalog.text), '.', o.oprname, ')'),
                        CASE WHEN pa.attcollation <> ca.attcollation AND NOT l.collisdeterministic
                             THEN pg_catalog.concat(pg_catalog.quote_ident(l_n.nspname::pg_catalog.text), '.',
                                                    pg_catalog.quote_ident(l.collname::pg_catalog.text)) END,
                        CASE WHEN ca.atttypid <> o.oprright AND ot.typtype <> 'p'
                             THEN pg_catalog.concat(pg_catalog.quote_ident(ot_n.nspname::pg_catalog.text), '.',
                                                    pg_catalog.quote_ident(ot.typname::pg_catalog.text)) END]
           FROM pg_catalog.generate_series(1, pg_catalog.array_length(k.conkey, 1)) AS p (part)
           JOIN pg_catalog.pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = k.conkey[p.part]
           JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[p.part]
           JOIN pg_catalog.pg_operator o ON o.oid = k.conpfeqop[p.part]
           JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.oprnamespace
           JOIN pg_catalog.pg_type ot ON ot.oid = o.oprright
           JOIN pg_catalog.pg_namespace ot_n ON ot_n.oid = ot.typnamespace
           LEFT JOIN pg_catalog.pg_collation l ON l.oid = pa.attcollation
           LEFT JOIN pg_catalog.pg_namespace l_n ON l_n.oid = l.collnamespace
           ORDER BY p.part)) AS comparisons,
       -- The same for queries about rows, as far as a plain `=` would not do it: the operator where `=` may be taken for
       -- another, the casts of both sides where their types alone would choose another, the collation where they differ.
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                   'operator', CASE WHEN o_n.nspname <> 'pg_catalog' OR o.oprname <> '=' OR others.any
                       THEN pg_catalog.concat(pg_catalog.quote_ident(o_n.nspname::pg_catalog.text), '.', o.oprname) END,
                   'parent_cast', CASE WHEN NOT (pa.atttypid = o.oprleft OR pt.typbasetype = o.oprleft OR lt.typtype = 'p'
                                                 OR pt.typname = 'varchar' AND lt.typname = 'text')
                       THEN pg_catalog.concat(pg_catalog.quote_ident(lt_n.nspname::pg_catalog.text), '.',
                                              pg_catalog.quote_ident(lt.typname::pg_catalog.text)) END,
                   'child_cast', CASE WHEN NOT (ca.atttypid = o.oprright OR ct.typbasetype = o.oprright OR rt.typtype = 'p'
                                                OR ct.typname = 'varchar' AND rt.typname = 'text')
                       THEN pg_catalog.concat(pg_catalog.quote_ident(rt_n.nspname::pg_catalog.text), '.',
                                              pg_catalog.quote_ident(rt.typname::pg_catalog.text)) END,
                   'collation', CASE WHEN pa.attcollation <> ca.attcollation
                       THEN pg_catalog.concat(pg_catalog.quote_ident(l_n.nspname::pg_catalog.text), '.',
                                              pg_catalog.quote_ident(l.collname::pg_catalog.text)) END) ORDER BY p.part)
        FROM pg_catalog.generate_series(1, pg_catalog.array_length(k.conkey, 1)) AS p (part)
        JOIN pg_catalog.pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = k.conkey[p.part]
        JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[p.part]
        JOIN pg_catalog.pg_type ct ON ct.oid = ca.atttypid
        JOIN pg_catalog.pg_type pt ON pt.oid = pa.atttypid
        JOIN pg_catalog.pg_operator o ON o.oid = k.conpfeqop[p.part]
        JOIN pg_catalog.pg_namespace o_n ON o_n.oid = o.oprnamespace
        JOIN pg_catalog.pg_type lt ON lt.oid = o.oprleft
        JOIN pg_catalog.pg_namespace lt_n ON lt_n.oid = lt.typnamespace
        JOIN pg_catalog.pg_type rt ON rt.oid = o.oprright
        JOIN pg_catalog.pg_namespace rt_n ON rt_n.oid = rt.typnamespace
        LEFT JOIN pg_catalog.pg_collation l ON l.oid = pa.attcollation
        LEFT JOIN pg_catalog.pg_namespace l_n ON l_n.oid = l.collnamespace) AS compared
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
-- The triggers that carry the key out. The child's run RI_FKey_check_ins and RI_FKey_check_upd, the parent's the rest. By key,
-- through pg_trigger's index on tgconstraint: catalogs are seldom analysed, and a join of the whole would be planned blindly.
CROSS JOIN (
    SELECT EXISTS (SELECT FROM pg_catalog.pg_operator o
                   JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace AND n.nspname <> 'pg_catalog'
                   WHERE o.oprname = '=' AND NOT EXISTS (
                       SELECT FROM pg_catalog.pg_amop a
                       JOIN pg_catalog.pg_opclass d ON d.opcfamily = a.amopfamily AND d.opcdefault AND d.opcintype = o.oprleft
                       JOIN pg_catalog.pg_type t ON t.oid = o.oprleft
                       JOIN pg_catalog.pg_namespace t_n ON t_n.oid = t.typnamespace AND t_n.nspname <> 'pg_catalog'
                       WHERE a.amopopr = o.oid AND o.oprleft = o.oprright)) AS any
) others
CROSS JOIN LATERAL (
    SELECT bool_or(p.proname ~ '^RI_FKey_check_' AND t.tgenabled NOT IN ('O', 'A')) AS child_off,
           bool_or(p.proname !~ '^RI_FKey_check_' AND t.tgenabled NOT IN ('O', 'A')) AS parent_off,
           pg_catalog.min(t.tgname::pg_catalog.text COLLATE "C") FILTER (WHERE p.proname ~ '_del$') AS delete_trigger
    FROM pg_catalog.pg_trigger t
    JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgconstraint = k.oid AND t.tgrelid IN (k.conrelid, k.confrelid)
) t
LEFT JOIN pg_catalog.pg_description d
       ON d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid AND d.objoid = k.oid
      AND d.objsubid = 0
WHERE k.contype = 'f' AND k.conparentid = 0::pg_catalog.oid
