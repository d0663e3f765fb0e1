//! The smallest repair of a fate, as findings that the planner mends.

use crate::change::Change;
use crate::fate::Fate;
use crate::findings::{Finding, Fix, Meta, Safety, Severity, Subject, SubjectKind};
use crate::rules::EVERY_ENGINE;

/// The repair is asked for by name and is no rule: it has a code of its own.
pub(super) static META: Meta = Meta {
    code: "FATE",
    name: "fate",
    severity: Severity::Error,
    summary: "A delete of a root's rows does not go through, or leaves rows behind",
    engines: EVERY_ENGINE,
    needs_data: false,
    page: "",
};

/// Makes a finding of each change of a fate's repair. What a person should decide is planned as well: the repair was asked
/// for.
pub fn repairs(fate: &Fate) -> Vec<Finding> {
    let Some(repair) = &fate.repair else { return Vec::new() };
    let changes = repair.changes.iter().map(|repaired| {
        let subject = Subject {
            kind: SubjectKind::ForeignKey,
            table: Some(repaired.child.clone()),
            columns: repaired.columns.clone(),
            name: repaired.name.clone(),
        };
        let path = repaired.path.join(", ");
        let does = if repaired.blocks { "stops the delete of" } else { "leaves rows behind when one goes from" };
        let message = format!("`{}` {does} `{}` (by way of {path}): {}", subject.place(), fate.root, repaired.reason);
        let severity = if repaired.blocks { Severity::Error } else { Severity::Warning };
        let fix = |title: String, change: Change| Fix {
            title,
            safety: Safety::Unsafe,
            changes: vec![change],
            sql: Vec::new(),
        };
        let mut finding = Finding::new(&META, subject, message)
            .distinguished_by(&format!("{} {}", fate.root, repaired.parent))
            .severity(severity)
            .fix(fix(format!("Make it ON DELETE {}", repaired.to), repaired.change.clone()));
        if repaired.recommended != repaired.to
            && let Change::ReplaceForeignKey { table, old, new } = &repaired.change
        {
            let mut other = new.clone();
            other.on_delete = repaired.recommended;
            let change = Change::ReplaceForeignKey { table: table.clone(), old: old.clone(), new: other };
            let title = format!("Make it ON DELETE {}, which suits the table better", repaired.recommended);
            finding = finding.fix(fix(title, change));
        }
        finding
    });
    changes.collect()
}
