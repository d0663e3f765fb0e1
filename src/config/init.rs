//! Writes a commented `referee.toml` for a schema: every entry is a suggestion, none is in force.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::relations::{Basis, Graph, Relation};
use crate::schema::{Action, Schema, TableName};

/// Writes a configuration for a database; `source` is how a person knows it, without password.
///
/// All of it is commented out, so that writing it changes no finding.
pub fn template(source: &str, schema: &Schema, graph: &Graph) -> String {
    let mut text = format!(
        "# referee.toml: what you declare, demand and do not want to hear about.\n\
         # Made from {}. Every entry is a suggestion: remove the `#` to put it in force.\n",
        source.replace(['\n', '\r'], " ")
    );
    if schema.engine.facts().keys.enforced_by_connection {
        text.push_str(
            "\n[database]\n\
             # SQLite enforces foreign keys only in a connection that ran `PRAGMA foreign_keys = ON`, and the file does not\n\
             # tell whether yours do. Say so here: \"on\" or \"off\".\n\
             # foreign_keys = \"on\"\n",
        );
    }
    text.push_str(
        "\n[audit]\n\
         # From which severity on `referee audit` exits with 1: \"error\", \"warning\", \"info\" or \"never\".\n\
         # fail_on = \"warning\"\n\
         # skip = [\"implicit-on-delete\"]\n\
         # tables = [\"*\"]\n\
         # data = true            # read rows, to count orphans\n\
         \n[infer]\n\
         # From which confidence on a guessed relation counts, from 0 to 1.\n\
         # threshold = 0.5\n",
    );
    relations(&mut text, graph);
    policies(&mut text, graph);
    text.push_str(
        "\n# Tables from which a delete must work: nothing refuses it, nothing is left that refers to what is gone.\n\
         #\n\
         # [[table]]\n\
         # name = \"users\"\n\
         # erasable = true        # or \"complete\", \"leaves-orphans\"\n\
         \n[fate]\n\
         # Tables whose rows no delete of another table may take with it.\n\
         # never_cascade_into = [\"audit_log\"]\n\
         # How many cascades may follow each other.\n\
         # max_depth = 4\n",
    );
    text.push_str(
        "\n# Findings that you do not want to hear about, with the reason.\n\
         #\n\
         # [[ignore]]\n\
         # rule = \"unindexed-foreign-key\"\n\
         # subject = \"audit_log.*\"\n\
         # reason = \"no row of its parents is ever deleted\"\n\
         # expires = 2027-12-31   # optional\n",
    );
    text
}

fn relations(text: &mut String, graph: &Graph) {
    let found: Vec<&Relation> = graph.relations().iter().filter(|r| r.is_guess()).collect();
    if found.is_empty() {
        text.push_str(
            "\n# Relations that no foreign key declares.\n\
             #\n\
             # [[relation]]\n\
             # child = \"orders.customer_id\"\n\
             # parent = \"customers.id\"\n\
             # on_delete = \"set null\"\n",
        );
        return;
    }
    let _ =
        write!(text, "\n# Relations that no foreign key declares, as names and types tell them ({}).\n", found.len());
    for relation in found {
        text.push_str("#\n");
        if let Basis::Inferred { confidence, evidence } = &relation.basis {
            let _ = writeln!(text, "# {:.0} % sure.", confidence * 100.0);
            evidence.iter().for_each(|line| {
                let _ = writeln!(text, "#   - {}", line.replace(['\n', '\r'], " "));
            });
        }
        text.push_str("# [[relation]]\n");
        let _ = writeln!(text, "# child = {}", side(&relation.child, &relation.columns));
        let _ = writeln!(text, "# parent = {}", side(&relation.parent, &relation.parent_columns));
        // Which action the key gets is decided when it is planned, in sight of what it would delete.
        let confidence = relation.confidence().unwrap_or_default();
        let _ = writeln!(text, "# accepted = {confidence:?}");
    }
}

/// Suggests, for each parent with at least two keys, the action that most of them have.
fn policies(text: &mut String, graph: &Graph) {
    let mut by_parent: BTreeMap<&TableName, BTreeMap<Action, Vec<&Relation>>> = BTreeMap::new();
    for relation in graph.relations().iter().filter(|r| r.is_declared() && r.is_evidence()) {
        if let Some(action) = relation.on_delete {
            by_parent.entry(&relation.parent).or_default().entry(action).or_default().push(relation);
        }
    }
    text.push_str("\n# Demands on every foreign key to a table.\n");
    let mut any = false;
    for (parent, actions) in by_parent {
        let total: usize = actions.values().map(Vec::len).sum();
        let Some((action, most)) =
            actions.iter().max_by_key(|(action, keys)| (keys.len(), std::cmp::Reverse(**action)))
        else {
            continue;
        };
        if total < 2 || most.len() * 2 <= total {
            continue;
        }
        any = true;
        let _ = writeln!(text, "#\n# {} of {total} keys to {parent} are ON DELETE {action}.", most.len());
        let _ = writeln!(text, "# [[policy]]\n# parent = {}", quoted(&parent.to_string()));
        let _ = writeln!(text, "# on_delete = \"{}\"", action.sql().to_lowercase());
        let mut rest: Vec<String> = actions
            .iter()
            .filter(|(other, _)| *other != action)
            .flat_map(|(_, keys)| keys.iter().map(|r| r.columns.first().map(|c| format!("{}.{c}", r.child))))
            .flatten()
            .map(|place| quoted(&place))
            .collect();
        rest.sort();
        rest.dedup();
        if !rest.is_empty() {
            let _ = writeln!(text, "# except = [{}]", rest.join(", "));
        }
        text.push_str("# reason = \"…\"\n");
    }
    if !any {
        text.push_str(
            "#\n\
             # [[policy]]\n\
             # parent = \"users\"\n\
             # on_delete = [\"cascade\", \"set null\"]\n\
             # reason = \"an account must be deletable\"\n",
        );
    }
}

/// Writes one side of a relation as TOML.
pub(super) fn side(table: &TableName, columns: &[String]) -> String {
    match columns {
        [column] => quoted(&format!("{table}.{}", TableName::new(column))),
        many => {
            let columns: Vec<String> = many.iter().map(|c| quoted(c)).collect();
            format!("{{ table = {}, columns = [{}] }}", quoted(&table.to_string()), columns.join(", "))
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
