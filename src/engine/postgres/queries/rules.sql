-- Rules that rewrite statements on tables. ev_type: 2 UPDATE, 3 INSERT, 4 DELETE.
SELECT r.ev_class AS "table", r.rulename AS name, r.ev_type AS event, r.is_instead AS instead, r.ev_enabled AS enabled,
       r.ev_qual::pg_catalog.text <> '<>' AS conditional, pg_catalog.pg_get_ruledef(r.oid) AS definition,
       pg_catalog.md5(pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.pg_get_ruledef(r.oid), '("[^"]+"|[[:<:]](?!old[.]|new[.])[[:alpha:]_][[:alnum:]_]*)[.]', '', 'gi'), 'OPERATOR|[()]', '', 'g')) AS print
FROM pg_catalog.pg_rewrite r
JOIN pg_catalog.pg_class c ON c.oid = r.ev_class AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
WHERE r.ev_type IN ('2', '3', '4')
