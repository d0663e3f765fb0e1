//! Adds relations that the user accepts to the text of `referee.toml`, behind what is there.

use super::diagnostic::Diagnostic;
use super::init::side;
use super::parse;
use crate::relations::ConfiguredRelation;

/// What came of adding relations.
#[derive(Clone, Debug, PartialEq)]
pub struct Added {
    /// The whole text: the old one as it was, and the new entries behind it.
    pub text: String,
    /// How many entries are new.
    pub count: usize,
}

/// Adds an entry for each relation that is not among those that are `there` already.
///
/// # Errors
/// What is wrong with the text then: entries cannot be added to everything that is TOML.
pub fn add(
    name: &str,
    text: &str,
    there: &[ConfiguredRelation],
    relations: &[ConfiguredRelation],
) -> Result<Added, Vec<Diagnostic>> {
    let mut new: Vec<&ConfiguredRelation> = Vec::new();
    for relation in relations {
        if !there.iter().chain(new.iter().copied()).any(|other| is_same(other, relation)) {
            new.push(relation);
        }
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut whole = text.to_string();
    for relation in &new {
        if !whole.is_empty() {
            let ends = whole.ends_with('\n');
            whole.push_str(if ends { "" } else { end });
            whole.push_str(end);
        }
        let mut lines = vec![
            "[[relation]]".to_string(),
            format!("child = {}", side(&relation.child, &relation.columns)),
            format!("parent = {}", side(&relation.parent, &relation.parent_columns)),
        ];
        lines.extend(relation.on_delete.map(|action| format!("on_delete = \"{}\"", action.sql().to_lowercase())));
        lines.extend(relation.accepted.map(|confidence| format!("accepted = {confidence:?}")));
        for line in lines {
            whole.push_str(&line);
            whole.push_str(end);
        }
    }
    if !new.is_empty() {
        parse(name, &whole)?;
    }
    Ok(Added { text: whole, count: new.len() })
}

fn is_same(a: &ConfiguredRelation, b: &ConfiguredRelation) -> bool {
    (&a.child, &a.columns, &a.parent, &a.parent_columns) == (&b.child, &b.columns, &b.parent, &b.parent_columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(child: &str, columns: &[&str], accepted: f64) -> ConfiguredRelation {
        let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
        ConfiguredRelation {
            child: child.parse().unwrap(),
            parent_columns: columns.clone(),
            columns,
            parent: "users".into(),
            on_delete: None,
            accepted: Some(accepted),
        }
    }

    fn there(text: &str) -> Vec<ConfiguredRelation> {
        parse("referee.toml", text).unwrap().relations.into_iter().map(|e| e.relation).collect()
    }

    #[test]
    fn entries_are_added_behind_what_is_there_and_read_back() {
        let both = [relation("posts", &["user_id"], 0.93), relation("app.\"odd.name\"", &["tenant", "a.b"], 1.0)];
        for old in [
            "",
            "# mine\n[infer]\nthreshold  =  0.6 # so",
            "[infer]\r\nthreshold = 0.6\r\n",
            "[[ignore]]\nrule='REF102'\nreason=\"x\"\n\n",
        ] {
            let added = add("referee.toml", old, &there(old), &both).unwrap();
            assert!(added.text.starts_with(old), "{}", added.text);
            assert_eq!((added.count, there(&added.text)), (2, both.to_vec()));
            assert_eq!(
                added.text.matches("\r\n").count(),
                if old.contains('\r') { added.text.lines().count() } else { 0 }
            );
            let again = add("referee.toml", &added.text, &there(&added.text), &both).unwrap();
            assert_eq!((again.count, &again.text), (0, &added.text), "a second time adds nothing");
        }
        let one = add("referee.toml", "", &[], &[both[0].clone(), both[0].clone()]).unwrap();
        assert_eq!(one.text, "[[relation]]\nchild = \"posts.user_id\"\nparent = \"users.user_id\"\naccepted = 0.93\n");
    }

    #[test]
    fn a_list_that_takes_no_more_entries_is_an_error() {
        let old = "relation = [{ child = \"a.b\", parent = \"c.d\" }]\n";
        assert!(add("referee.toml", old, &there(old), &[relation("posts", &["user_id"], 0.9)]).is_err());
    }

    #[test]
    fn what_is_not_a_confidence_is_an_error() {
        for wrong in ["2", "\"yes\"", "true", "-0.1"] {
            let text = format!("[[relation]]\nchild = \"a.b\"\nparent = \"c.d\"\naccepted = {wrong}\n");
            let errors = parse("referee.toml", &text).unwrap_err();
            assert!(errors[0].message.contains("`accepted` must be a number from 0 to 1"), "{errors:?}");
        }
    }
}
