//! Words of commands that people copy, for a POSIX shell.
//!
//! Quotes are those of POSIX.1-2017 (Shell Command Language, 2.2). What a terminal would act on is written by `$'…'`, which
//! bash, ksh, zsh and POSIX.1-2024 read.

use std::borrow::Cow;

use super::secret::MASK;

/// Quotes a word where a shell would read it as anything but itself. Of a URL whose password is masked the mask is left out: what
/// the command starts then takes the password from `PGPASSWORD` or `~/.pgpass`.
pub fn argument(word: &str) -> String {
    let word = &*without_mask(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+=,/:@%^".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with(['=', '^']) {
        word.to_string()
    } else {
        quoted(word)
    }
}

/// Quotes a word, also where it needs none: a command that is an example shows how.
pub fn quoted(word: &str) -> String {
    if !word.contains(|c: char| c.is_control() || super::commands_terminal(c)) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || super::commands_terminal(c) => {
                // Three digits each, so that a digit that follows is not taken for one more.
                let mut bytes = [0; 4];
                c.encode_utf8(&mut bytes).bytes().for_each(|byte| quoted.push_str(&format!("\\{byte:03o}")));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// The same for a word that a program would take for an option by its dash: a path gets `./` before it.
pub fn operand(path: &str) -> String {
    if path.starts_with('-') { argument(&format!("./{path}")) } else { argument(path) }
}

fn without_mask(word: &str) -> Cow<'_, str> {
    if !word.contains("://") || !word.contains(MASK) {
        return Cow::Borrowed(word);
    }
    let (before, query) = word.split_once('?').map_or((word, None), |(before, query)| (before, Some(query)));
    let mut text = before.replace(&format!(":{MASK}@"), "@");
    let masked = format!("={MASK}");
    let kept: Vec<&str> = query.into_iter().flat_map(|q| q.split('&')).filter(|p| !p.ends_with(&masked)).collect();
    if !kept.is_empty() {
        text.push('?');
        text.push_str(&kept.join("&"));
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a real shell how it reads the words.
    fn read_by_shell(words: &[String]) -> Vec<String> {
        let script = format!("printf '%s\\0' {}", words.join(" "));
        let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_string).collect()
    }

    #[test]
    fn a_shell_reads_every_word_as_itself() {
        let words = [
            "shop.db",
            "my s.db",
            "$x `id` $(id) \"q\" 'a'",
            "a\\b!c",
            "",
            "*?[a]{b,c}~#&;|<>()",
            "größe",
            "a\nb\u{1b}[31m1'\\",
            "=ls",
            "postgres://u@h/d?a=1&b=2",
            "\u{202e}x",
        ];
        let quoted: Vec<String> = words.iter().map(|w| argument(w)).collect();
        assert_eq!(read_by_shell(&quoted), words);
        assert!(!quoted.concat().contains(|c: char| c.is_control()), "{quoted:?}");
        assert_eq!((quoted[0].as_str(), quoted[1].as_str()), ("shop.db", "'my s.db'"));
    }

    #[test]
    fn a_masked_password_is_left_out() {
        assert_eq!(argument("postgres://u:***@h/d"), "postgres://u@h/d");
        assert_eq!(argument("postgres://u@h/d?password=***&x=1"), "'postgres://u@h/d?x=1'");
        assert_eq!(argument("postgres://u@/d?sslpassword=***"), "postgres://u@/d");
        assert_eq!(argument("my ***.db"), "'my ***.db'");
    }

    #[test]
    fn a_leading_dash_is_no_option() {
        assert_eq!(operand("-x.db"), "./-x.db");
        assert_eq!(operand("-my s.db"), "'./-my s.db'");
        assert_eq!(operand("shop.db"), "shop.db");
    }
}
