//! The fingerprint: a finding's identity from run to run.

use super::Subject;

/// Returns 16 hexadecimal digits (64-bit FNV-1a) of the code, the subject and a detail.
///
/// The constraint's name is left out where columns identify the subject, so that renaming or renumbering a constraint
/// does not make a known finding new.
pub(super) fn of(code: &str, subject: &Subject, detail: &str) -> String {
    let table = subject.table.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = if subject.columns.is_empty() { subject.name.as_deref().unwrap_or_default() } else { "" };
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |text: &str| {
        // A byte that is in no name ends each part, so that ("ab", "c") and ("a", "bc") differ.
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    feed(code);
    feed(&table);
    subject.columns.iter().for_each(|c| feed(c));
    feed(name);
    feed(detail);
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::SubjectKind;

    #[test]
    fn renaming_a_constraint_keeps_the_fingerprint() {
        let subject = |name: &str, columns: &[&str]| Subject {
            kind: SubjectKind::ForeignKey,
            table: Some("orders".into()),
            columns: columns.iter().map(ToString::to_string).collect(),
            name: Some(name.into()),
        };
        assert_eq!(of("REF101", &subject("a", &["x"]), ""), of("REF101", &subject("b", &["x"]), ""));
        assert_ne!(of("REF101", &subject("a", &["x"]), ""), of("REF101", &subject("a", &["x", "y"]), ""));
        assert_ne!(of("REF101", &subject("a", &["x"]), ""), of("REF102", &subject("a", &["x"]), ""));
        assert_ne!(of("REF101", &subject("a", &["xy", "z"]), ""), of("REF101", &subject("a", &["x", "yz"]), ""));
    }
}
