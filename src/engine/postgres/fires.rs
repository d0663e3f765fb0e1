//! Fingerprints of what fires: the definition of a trigger with its function's, and of a rule.
//!
//! They are the same in every session and database: what the server writes out depends on the search path, so schemas and
//! `OPERATOR()` are taken out of it.

/// An expression over `t` (`pg_trigger`), `f` (`pg_proc`), `fn` (its `pg_namespace`) and `l` (`pg_language`).
pub const TRIGGER_PRINT: &str = r#"pg_catalog.md5(pg_catalog.concat_ws('|', t.tgtype, pg_catalog.encode(t.tgargs, 'hex'), fn.nspname, f.proname, l.lanname, f.prosrc, f.proconfig, f.prosecdef, pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.pg_get_triggerdef(t.oid), '("[^"]+"|[[:<:]](?!old[.]|new[.])[[:alpha:]_][[:alnum:]_]*)[.]', '', 'gi'), 'OPERATOR|[()]', '', 'g')))"#;

/// The joins that [`TRIGGER_PRINT`] needs.
pub const TRIGGER_JOINS: &str = "LEFT JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
LEFT JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
LEFT JOIN pg_catalog.pg_language l ON l.oid = f.prolang";

/// An expression over `r` (`pg_rewrite`).
pub const RULE_PRINT: &str = r#"pg_catalog.md5(pg_catalog.regexp_replace(pg_catalog.regexp_replace(pg_catalog.pg_get_ruledef(r.oid), '("[^"]+"|[[:<:]](?!old[.]|new[.])[[:alpha:]_][[:alnum:]_]*)[.]', '', 'gi'), 'OPERATOR|[()]', '', 'g'))"#;

#[cfg(test)]
mod tests {
    use super::{RULE_PRINT, TRIGGER_JOINS, TRIGGER_PRINT};

    #[test]
    fn catalog_queries_have_the_same_fingerprints() {
        let triggers = include_str!("queries/triggers.sql");
        assert!(triggers.contains(TRIGGER_PRINT) && triggers.contains(TRIGGER_JOINS));
        assert!(include_str!("queries/rules.sql").contains(RULE_PRINT));
    }
}
