//! Passwords in URLs and in libpq's `keyword=value` texts: what is shown instead of them.

/// What stands in the place of a password.
/// What stands in the place of a password.
pub(super) const MASK: &str = "***";

/// Returns a URL with its passwords replaced by `***`, for messages. Also of a text that is no URL, or a malformed one: what
/// may be a password is not shown.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return redact_pairs(&redact_query(&redact_login(url))) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password with an unencoded / or ? puts the @ after it: then all that comes before the last @ may be password.
    let at = rest[..end].rfind('@').or_else(|| {
        let tail = rest.find('?').filter(|q| rest[..*q].contains('@')).unwrap_or(rest.len());
        rest[..end].contains(':').then(|| rest[..tail].rfind('@')).flatten()
    });
    let (userinfo, after) = at.map_or(("", rest), |at| rest.split_at(at));
    let encoded_colon = || userinfo.to_ascii_lowercase().find("%3a");
    let userinfo = match userinfo.find(':').or_else(encoded_colon) {
        Some(colon) => format!("{}:{MASK}", &userinfo[..colon]),
        None => userinfo.to_string(),
    };
    format!("{scheme}://{userinfo}{}", redact_query(after))
}

/// Masks the password of `user:password@host`, to which somebody forgot to write the scheme.
fn redact_login(text: &str) -> String {
    let is_file = ["sqlite:", "file:"].iter().any(|scheme| text.starts_with(scheme));
    match (text.find(':'), text.rfind('@')) {
        (Some(colon), Some(at)) if colon < at && !is_file => format!("{}:{MASK}{}", &text[..colon], &text[at..]),
        _ => text.to_string(),
    }
}

fn redact_query(text: &str) -> String {
    let Some((path, query)) = text.split_once(['?', '#']) else { return text.to_string() };
    let mark = &text[path.len()..=path.len()];
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if may_hold_password(name) => format!("{name}={MASK}"),
        // A separator that is none (`;`, `?`, a space) hides a parameter in the one before.
        Some((name, value)) if value.contains('=') && may_hold_password(value) => format!("{name}={MASK}"),
        _ => pair.to_string(),
    });
    format!("{path}{mark}{}", pairs.collect::<Vec<_>>().join("&"))
}

/// An encoded name may be any.
fn may_hold_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "%"].iter().any(|word| name.contains(word))
}

/// Masks the values of `password=…` in a text of keywords and values, which may be quoted (manual, "Keyword/Value Connection
/// Strings").
fn redact_pairs(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(equals) = rest.find('=') {
        let (head, tail) = rest.split_at(equals + 1);
        shown.push_str(head);
        let name = head[..equals].trim_end().rsplit(|c: char| c.is_whitespace() || "?&;".contains(c)).next();
        rest = tail;
        if !name.is_some_and(|n| may_hold_password(n) && !n.contains('%')) {
            continue;
        }
        let value = tail.trim_start();
        let mut escaped = false;
        let end = match value.strip_prefix('\'') {
            Some(quoted) => quoted
                .char_indices()
                .find(|(_, c)| {
                    let ends = *c == '\'' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    ends
                })
                .map_or(value.len(), |(at, _)| at + 2),
            None => value.find(|c: char| c.is_whitespace() || c == '&').unwrap_or(value.len()),
        };
        shown.push_str(MASK);
        rest = &value[end..];
    }
    shown.push_str(rest);
    shown
}

/// Takes the passwords of what was typed out of a text that may repeat it: of every URL, and of every text that says how to
/// connect.
pub fn masked(text: &str, typed: &[String]) -> String {
    let mut masked = text.to_string();
    for word in typed.iter().filter(|w| w.contains([':', '='])) {
        let shown = redact(word);
        if shown != **word && masked.contains(word.as_str()) {
            masked = masked.replace(word.as_str(), &shown);
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_output_shows_a_password() {
        for (url, shown) in [
            ("postgres://u:secret@h/d", "postgres://u:***@h/d"),
            ("postgres://u:sec@ret@h/d", "postgres://u:***@h/d"),
            ("postgres://u:sec/ret@h/d", "postgres://u:***@h/d"),
            ("postgres://u:sec?ret@h/d", "postgres://u:***@h/d"),
            ("postgres://u%3Asecret@h/d", "postgres://u:***@h/d"),
            ("postgres://u:%73ecret@h/d", "postgres://u:***@h/d"),
            ("postgres://u@h/d?password=secret&x=1", "postgres://u@h/d?password=***&x=1"),
            ("postgres://u@h/d?x=1?password=secret", "postgres://u@h/d?x=***"),
            ("postgres://u@h/d?x=1;password=secret&y=2", "postgres://u@h/d?x=***&y=2"),
            ("postgres://u@h/d#password=secret", "postgres://u@h/d#password=***"),
            ("postgres://u@h/d?sslPassword=secret", "postgres://u@h/d?sslPassword=***"),
            ("postgres://h/d?p%61ssword=secret", "postgres://h/d?p%61ssword=***"),
            ("postgres://u@h:5/d?options=a@b", "postgres://u@h:5/d?options=a@b"),
            ("postgres://h:5/d", "postgres://h:5/d"),
            ("u:secret@h/d?sslpassword=secret", "u:***@h/d?sslpassword=***"),
            ("sqlite:a@b.db", "sqlite:a@b.db"),
            ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
            ("host=h password = 'sec \\'ret' dbname=d", "host=h password =*** dbname=d"),
            ("host=h sslpassword=secret", "host=h sslpassword=***"),
            ("shop.db", "shop.db"),
            ("a=b.db", "a=b.db"),
        ] {
            assert_eq!(redact(url), shown);
        }
    }

    #[test]
    fn what_was_typed_is_repeated_without_its_password() {
        let typed = ["audit".to_string(), "postgres://u:secret@h/d".to_string()];
        let text = masked("cannot read postgres://u:secret@h/d: no such file", &typed);
        assert_eq!(text, "cannot read postgres://u:***@h/d: no such file");
    }
}
