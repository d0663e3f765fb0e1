//! The tables that rows are backed up in: who may read them, and what publications make of them and of the change.

use super::super::servers::builder::Builder;
use super::catalog;
use super::counters::{self, Counters};
use crate::fate;
use crate::schema::{Publication, TableKind, TableName};

/// Writes the block that makes a backup table unless it is there. The comment tells whose table it is, so it comes with it.
///
/// Default privileges would let others read it (manual, ALTER DEFAULT PRIVILEGES), and no policy of the table that the rows
/// come from holds for it: it is its owner's alone. An event trigger may act on every table that is made: it changes nothing else, and
/// leaves the backup a plain table.
pub(super) fn make(builder: &Builder<'_>, place: &str, of: &TableName, comment: &str) -> String {
    let there = catalog::relation(builder, place);
    let revoke = builder.dialect.literal(&format!("REVOKE ALL ON TABLE {place} FROM "));
    // The index of its TOAST table, too.
    let toast = format!("SELECT c.reltoastrelid FROM pg_catalog.pg_class c WHERE c.oid = {there}");
    let own = format!(
        "SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid = {there} UNION ALL {toast} UNION ALL SELECT i.indexrelid FROM \
         pg_catalog.pg_index i WHERE i.indrelid = ({toast})"
    );
    let (before, after) = counters::beside_making(builder, &own, "    ");
    format!(
        "DO $referee$\nDECLARE\n  _referee_role record;\n  {}\nBEGIN\n  IF {there} IS NULL THEN\n    {before}\n    \
         CREATE TABLE {place} (LIKE {});\n    \
         COMMENT ON TABLE {place} IS {};\n    FOR _referee_role IN\n      SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE \
         pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS name\n      FROM pg_catalog.pg_class c, \
         pg_catalog.aclexplode(c.relacl) a WHERE c.oid = {there} AND a.grantee <> c.relowner\n    LOOP\n      EXECUTE \
         pg_catalog.concat({revoke}, _referee_role.name);\n    END LOOP;\n    ALTER TABLE {place} ENABLE ROW LEVEL SECURITY;\n    {}\n    \
         {after}\n  END IF;\nEND $referee$",
        Counters::declared(),
        builder.name(of),
        builder.dialect.literal(comment),
        plain(builder, place),
    )
}

/// Writes the statement that stops a block unless a backup table is one in which rows arrive as they are, and stay. Whoever asks
/// holds a lock on it that CREATE TRIGGER, CREATE RULE and ALTER TABLE wait for (manual, 13.3.1: ROW EXCLUSIVE).
pub(super) fn plain(builder: &Builder<'_>, place: &str) -> String {
    let there = catalog::relation(builder, place);
    let of = |name: &str, from: &str| format!("SELECT pg_catalog.concat('{name}) FROM pg_catalog.{from} = {there}");
    let found = [
        of("trigger ', a.tgname", "pg_trigger a WHERE a.tgrelid"),
        of("rule ', a.rulename", "pg_rewrite a WHERE a.ev_class"),
        of("policy ', a.polname", "pg_policy a WHERE a.polrelid"),
        of("parent table ', a.inhparent::pg_catalog.regclass", "pg_inherits a WHERE a.inhrelid"),
        of("child table ', a.inhrelid::pg_catalog.regclass", "pg_inherits a WHERE a.inhparent"),
        format!(
            "{} AND (a.relkind <> 'r' OR a.relpersistence <> 'p' OR a.relforcerowsecurity)",
            of(
                "kind ', a.relkind, ', persistence ', a.relpersistence, ', forced row-level security ', a.relforcerowsecurity",
                "pg_class a WHERE a.oid"
            )
        ),
    ];
    let found = found.join(" UNION ALL ");
    let literal = |text: &str| builder.dialect.literal(text);
    format!(
        "IF EXISTS ({found}) THEN RAISE EXCEPTION USING MESSAGE = pg_catalog.concat({}, (SELECT pg_catalog.string_agg(f.what, ', ') FROM \
         ({found}) AS f (what)), {}), HINT = {}; END IF;",
        literal(&format!("the backup table {place} is no plain table, and rows may not arrive in it as they are: ")),
        literal("; rolled back"),
        literal(counters::EVENT_TRIGGERS)
    )
}

/// Says who may read backups, and which publications send them.
pub(super) fn told(builder: &Builder<'_>, tables: &[&TableName]) -> String {
    let many = tables.len() > 1;
    let mut text = format!(
        " Only the owner may read {}: all privileges are revoked and row-level security is on.",
        if many { "the backups" } else { "the backup" }
    );
    let mut names: Vec<&str> = Vec::new();
    for table in builder.context.schema.tables.iter().filter(|t| tables.iter().any(|b| b.schema == t.name.schema)) {
        names.extend(table.publications.iter().filter(|p| p.new_tables).map(|p| p.name.as_str()));
    }
    names.sort_unstable();
    names.dedup();
    for name in names {
        text.push_str(&format!(
            " Publication {name} (FOR ALL TABLES or TABLES IN SCHEMA) will publish {}. Subscribers stop unless they have {}.",
            if many { "the backup tables" } else { "the backup table" },
            if many { "tables of these names" } else { "a table of that name" }
        ));
    }
    text
}

/// Sees that publications can send what becomes of a table's rows: else PostgreSQL refuses the statement (`execReplication.c`,
/// `CheckCmdReplicaIdentity`), after the steps before it are committed.
///
/// # Errors
/// One cannot.
pub(super) fn can_be_sent(builder: &Builder<'_>, table: &TableName, deletes: bool) -> Result<(), String> {
    let schema = builder.context.schema;
    for name in builder.family(table) {
        // A partitioned table holds no rows; its partitions do.
        let Some(of) = schema.table(&name).filter(|t| t.kind != TableKind::Partitioned && !t.unlogged) else {
            continue;
        };
        // A publication of a partitioned table sends what becomes of its partitions' rows.
        for table in schema.tables.iter().filter(|t| schema.is_within(&name, &t.name)) {
            let publishes = |p: &&Publication| if deletes { p.delete } else { p.update };
            for publication in table.publications.iter().filter(publishes) {
                if let Some(why) = fate::unpublishable(publication, of) {
                    let what = if deletes { "deletes" } else { "updates" };
                    return Err(format!(
                        "blocked: publication {} publishes {what} of `{name}`, and {why}. Set its REPLICA IDENTITY first",
                        publication.name
                    ));
                }
            }
        }
    }
    Ok(())
}
