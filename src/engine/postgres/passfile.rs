//! The password file (manual, "The Password File"): its text, not its place on disk.

/// Finds the password of the first line that matches: `host:port:database:user:password`, `*` for anything, `\` before a
/// `:` or `\` that belongs to a field.
pub fn find(text: &str, host: &str, port: u16, database: &str, user: &str) -> Option<String> {
    let port = port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut rest = line.strip_suffix('\r').unwrap_or(line);
        for wanted in [host, &port, database, user] {
            let (field, after) = field(rest)?;
            // An escaped star is a star, not anything.
            if field != wanted && !rest.starts_with("*:") {
                return None;
            }
            rest = after;
        }
        let password = unescaped(rest);
        (!password.is_empty()).then_some(password)
    })
}

/// Reads up to the next colon that stands for itself.
fn field(text: &str) -> Option<(String, &str)> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ':' => return Some((unescaped(&text[..at]), &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn first_matching_line_counts() {
        let file = "# comment\nh:5432:shop:ann:one\n*:*:*:ann:two\nh:5432:*:*:a\\:b\\\\c\nbroken\n";
        let password = |host, port, database, user| find(file, host, port, database, user);
        assert_eq!(password("h", 5432, "shop", "ann").as_deref(), Some("one"));
        assert_eq!(password("h", 5433, "shop", "ann").as_deref(), Some("two"));
        assert_eq!(password("h", 5432, "shop", "bob").as_deref(), Some("a:b\\c"));
        assert_eq!(password("other", 5432, "shop", "bob"), None);
    }

    #[test]
    fn addresses_with_colons_are_escaped() {
        assert_eq!(find("\\:\\:1:5432:*:*:v6", "::1", 5432, "d", "u").as_deref(), Some("v6"));
        assert_eq!(find("\\*:*:*:*:star", "h", 1, "d", "u"), None);
    }
}
