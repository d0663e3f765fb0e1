//! Which tokens of a body can run at an event, and which of them only under a condition.

use crate::sql::lexer::Token;

/// A token that can run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub token: Token,
    /// Whether something other than `TG_OP` decides whether it runs.
    pub conditional: bool,
}

/// What a word opened that an `END` closes.
enum Frame {
    If {
        /// Whether what stands around it can run.
        outer: bool,
        /// Whether a branch before is always taken.
        taken: bool,
        /// Whether a branch hangs on something that is not known.
        unsure: bool,
    },
    Other {
        conditional: bool,
    },
}

/// Returns the tokens that can run at an event.
pub(super) fn steps(text: &str, tokens: &[Token], event: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    let mut live = true;
    let mut at = 0;
    // What runs after an error may come after a RETURN.
    let catches = tokens.windows(2).any(|w| w[0].is_word(text, "EXCEPTION") && w[1].is_word(text, "WHEN"));
    let mut returns = false;
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t: &Token| t.is_word(text, word));
    while let Some(token) = tokens.get(at) {
        let word = |word: &str| token.is_word(text, word);
        let begins = at == 0
            || tokens[at - 1].is_punctuation(text, ';')
            || tokens[at - 1].is_punctuation(text, '>')
            || ["BEGIN", "THEN", "ELSE", "LOOP", "DO"].iter().any(|w| is(at - 1, w));
        if (word("IF") || word("ELSIF") || word("ELSEIF")) && begins {
            let then = (at..tokens.len()).find(|i| is(*i, "THEN")).unwrap_or(tokens.len());
            let truth = truth(text, tokens.get(at + 1..then).unwrap_or_default(), event);
            if word("IF") {
                frames.push(Frame::If { outer: live, taken: false, unsure: false });
            }
            // What a condition asks can be a function that does something.
            let asked = if live { tokens.get(at..=then.min(tokens.len().saturating_sub(1))) } else { None };
            let inside = frames.iter().any(is_conditional);
            steps.extend(asked.into_iter().flatten().map(|t| Step { token: *t, conditional: inside }));
            if let Some(Frame::If { outer, taken, unsure }) = frames.last_mut() {
                live = *outer && !*taken && truth != Some(false);
                *taken |= truth == Some(true);
                *unsure |= truth.is_none();
            }
            at = then + 1;
            continue;
        }
        if word("ELSE")
            && let Some(Frame::If { outer, taken, .. }) = frames.last()
        {
            live = *outer && !*taken;
        } else if word("END") {
            match frames.pop() {
                Some(Frame::If { outer, .. }) => live = outer,
                Some(Frame::Other { .. }) | None => {}
            }
            // END IF, END LOOP, END CASE
            if ["IF", "LOOP", "CASE", "WHILE", "REPEAT"].iter().any(|w| is(at + 1, w)) {
                at += 2;
                continue;
            }
        } else if word("CASE") || word("LOOP") || (word("DO") && begins_block(text, tokens, at)) {
            frames.push(Frame::Other { conditional: true });
        } else if word("BEGIN") {
            frames.push(Frame::Other { conditional: false });
        }
        if live {
            let conditional = frames.iter().any(is_conditional);
            steps.push(Step { token: *token, conditional });
            returns |= word("RETURN") && begins && !conditional && !catches;
            if returns && token.is_punctuation(text, ';') {
                break;
            }
        }
        at += 1;
    }
    steps
}

/// MySQL's `WHILE … DO`; not `ON CONFLICT DO`.
fn begins_block(text: &str, tokens: &[Token], at: usize) -> bool {
    let back = tokens[..at].iter().rev().take_while(|t| !t.is_punctuation(text, ';'));
    back.into_iter().any(|t| t.is_word(text, "WHILE"))
}

fn is_conditional(frame: &Frame) -> bool {
    match frame {
        Frame::If { unsure, .. } => *unsure,
        Frame::Other { conditional } => *conditional,
    }
}

/// Decides a condition about `TG_OP`; `None` if something else decides it.
fn truth(text: &str, condition: &[Token], event: &str) -> Option<bool> {
    let condition = stripped(text, condition);
    if let Some(parts) = split(text, condition, "OR") {
        let truths: Vec<Option<bool>> = parts.into_iter().map(|p| truth(text, p, event)).collect();
        return if truths.contains(&Some(true)) {
            Some(true)
        } else if truths.contains(&None) {
            None
        } else {
            Some(false)
        };
    }
    if let Some(parts) = split(text, condition, "AND") {
        let truths: Vec<Option<bool>> = parts.into_iter().map(|p| truth(text, p, event)).collect();
        return if truths.contains(&Some(false)) {
            Some(false)
        } else if truths.contains(&None) {
            None
        } else {
            Some(true)
        };
    }
    if let [not, rest @ ..] = condition
        && not.is_word(text, "NOT")
    {
        return truth(text, rest, event).map(|t| !t);
    }
    let operation = |t: &Token| t.is_word(text, "TG_OP");
    let literal = |t: &Token| t.text(text).trim_matches('\'').eq_ignore_ascii_case(event);
    let sign = |t: &Token, c: char| t.is_punctuation(text, c);
    match condition {
        [a, eq, b] if sign(eq, '=') && operation(a) => Some(literal(b)),
        [a, eq, b] if sign(eq, '=') && operation(b) => Some(literal(a)),
        [a, x, y, b]
            if operation(a) && sign(y, if sign(x, '<') { '>' } else { '=' }) && (sign(x, '<') || sign(x, '!')) =>
        {
            Some(!literal(b))
        }
        [a, word, open, list @ .., close]
            if operation(a) && word.is_word(text, "IN") && sign(open, '(') && sign(close, ')') =>
        {
            Some(list.iter().any(literal))
        }
        [a, not, word, open, list @ .., close]
            if operation(a)
                && not.is_word(text, "NOT")
                && word.is_word(text, "IN")
                && sign(open, '(')
                && sign(close, ')') =>
        {
            Some(!list.iter().any(literal))
        }
        _ => None,
    }
}

/// Takes off parentheses around the whole.
fn stripped<'t>(text: &str, tokens: &'t [Token]) -> &'t [Token] {
    let [first, inner @ .., last] = tokens else { return tokens };
    if !first.is_punctuation(text, '(') || !last.is_punctuation(text, ')') {
        return tokens;
    }
    let mut depth = 0i32;
    for token in inner {
        depth += i32::from(token.is_punctuation(text, '(')) - i32::from(token.is_punctuation(text, ')'));
        if depth < 0 {
            return tokens;
        }
    }
    stripped(text, inner)
}

/// Splits at a word outside parentheses; `None` if it is not there.
fn split<'t>(text: &str, tokens: &'t [Token], word: &str) -> Option<Vec<&'t [Token]>> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0i32, 0);
    for (at, token) in tokens.iter().enumerate() {
        depth += i32::from(token.is_punctuation(text, '(')) - i32::from(token.is_punctuation(text, ')'));
        if depth == 0 && token.is_word(text, word) {
            parts.push(&tokens[from..at]);
            from = at + 1;
        }
    }
    if parts.is_empty() {
        return None;
    }
    parts.push(&tokens[from..]);
    Some(parts)
}
