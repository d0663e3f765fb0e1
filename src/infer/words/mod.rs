//! Words in names: splitting, singular forms, abbreviations, and the lists that tell roles from things.
//!
//! Knows English and nothing of any schema.

mod lists;

pub(super) use lists::{
    COPIES, FILLERS, FOREIGN_SYSTEMS, GENERIC_KEYS, GLUED_ACTORS, ID_WORDS, NATURAL_WORDS, NO_ACTORS, OFTEN_ELSEWHERE,
    PEOPLE, PEOPLE_RANKS, PEOPLE_SELF_ROLES, PERSON_ROLES, QUANTITIES, SAID_WITHOUT_ID, SELF_ROLES,
};

/// Splits a name into lower-case words: at `_`, `-`, blanks, before a capital, between letters and digits.
pub(super) fn split(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (i, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            push(&mut words, &mut word);
            continue;
        }
        let before = if i > 0 { Some(chars[i - 1]) } else { None };
        let after = chars.get(i + 1);
        let boundary = before.is_some_and(|b| {
            (c.is_uppercase() && (b.is_lowercase() || (b.is_uppercase() && after.is_some_and(|a| a.is_lowercase()))))
                || (c.is_numeric() != b.is_numeric() && b.is_alphanumeric())
        });
        if boundary {
            push(&mut words, &mut word);
        }
        word.extend(c.to_lowercase());
    }
    push(&mut words, &mut word);
    words
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

const IRREGULAR: &[(&str, &str)] = &[
    ("people", "person"),
    ("persons", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("indices", "index"),
    ("indexes", "index"),
    ("matrices", "matrix"),
    ("vertices", "vertex"),
    ("criteria", "criterion"),
    ("media", "medium"),
    ("analyses", "analysis"),
    ("bases", "base"),
    ("databases", "database"),
    ("statuses", "status"),
    ("aliases", "alias"),
    ("buses", "bus"),
    ("leaves", "leave"),
    ("halves", "half"),
    ("shelves", "shelf"),
    ("movies", "movie"),
    ("series", "series"),
    ("species", "species"),
    ("news", "news"),
    ("caches", "cache"),
    ("cookies", "cookie"),
    ("heroes", "hero"),
    ("lenses", "lens"),
    ("axes", "axis"),
    ("taxes", "tax"),
    ("quizzes", "quiz"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("mice", "mouse"),
    ("geese", "goose"),
];

/// Returns a word's singular; a word that is one comes back as it is.
pub(super) fn singular(word: &str) -> String {
    if let Some((_, one)) = IRREGULAR.iter().find(|(many, _)| *many == word) {
        return (*one).to_string();
    }
    let cut = |n: usize, tail: &str| format!("{}{tail}", &word[..word.len() - n]);
    let ends = |tail: &str| word.len() > tail.len() + 1 && word.ends_with(tail);
    if ends("ies") {
        cut(3, "y")
    } else if ["sses", "shes", "ches", "xes", "zes", "uses"].iter().any(|t| ends(t)) {
        // `uses`: statuses and viruses, but houses and uses keep their e.
        if word.ends_with("ouses") || word.ends_with("auses") { cut(1, "") } else { cut(2, "") }
    } else if ends("s") && !["ss", "us", "is", "news"].iter().any(|t| word.ends_with(t)) {
        cut(1, "")
    } else {
        word.to_string()
    }
}

/// Joins words into one, the last in its singular: what two names of one thing have in common.
pub(super) fn noun<S: AsRef<str>>(words: &[S]) -> String {
    let Some((last, first)) = words.split_last() else { return String::new() };
    first.iter().map(AsRef::as_ref).chain([singular(last.as_ref()).as_str()]).collect()
}

const ABBREVIATIONS: &[(&str, &str)] = &[
    ("acct", "account"),
    ("addr", "address"),
    ("app", "application"),
    ("cat", "category"),
    ("cfg", "config"),
    ("cust", "customer"),
    ("dept", "department"),
    ("doc", "document"),
    ("emp", "employee"),
    ("env", "environment"),
    ("grp", "group"),
    ("img", "image"),
    ("inv", "invoice"),
    ("lang", "language"),
    ("loc", "location"),
    ("msg", "message"),
    ("org", "organization"),
    ("organisation", "organization"),
    ("prod", "product"),
    ("proj", "project"),
    ("repo", "repository"),
    ("subcat", "subcategory"),
    ("trx", "transaction"),
    ("tx", "transaction"),
    ("txn", "transaction"),
    ("usr", "user"),
    ("config", "configuration"),
];

/// Spells out the last word of a stem, if it is a usual abbreviation.
pub(super) fn spelled_out(words: &[String]) -> Option<Vec<String>> {
    let (last, first) = words.split_last()?;
    let (_, long) = ABBREVIATIONS.iter().find(|(short, _)| short == last)?;
    let mut spelled = first.to_vec();
    spelled.push((*long).to_string());
    Some(spelled)
}

/// Tells whether a key's name is its table's, shortened: `aid` and `author`, `apt_id` and `apartment`.
pub(super) fn abbreviates(key: &str, noun: &str) -> bool {
    let stem = ["uuid", "id", "key", "code", "no", "num"].iter().find_map(|e| key.strip_suffix(e)).unwrap_or_default();
    let mut rest = noun.chars();
    !stem.is_empty()
        && stem.len() < noun.len()
        && noun.chars().next() == stem.chars().next()
        && stem.chars().all(|c| rest.any(|r| r == c))
}

/// Returns what a verb and its agent have in common: `ship` of `shipper`, `suppl` of `supplied` and `supplier`.
pub(super) fn root(word: &str) -> Option<&str> {
    let cut = ["ied", "ier", "ed", "er", "or", "e", "y"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    let mut last = cut.chars().rev();
    let cut = match (last.next(), last.next()) {
        (Some(a), Some(b)) if a == b => &cut[..cut.len() - a.len_utf8()],
        _ => cut,
    };
    (cut.chars().count() > 2).then_some(cut)
}

/// Tells whether a word is somebody who does something: `granter`, `subscriber`, `auditor`.
pub(super) fn is_agent(word: &str) -> bool {
    let ends = word.len() > 5 && ["er", "or"].iter().any(|e| word.ends_with(e));
    ends && !NO_AGENTS.contains(&word)
}

/// Words that end like an agent and are a thing.
const NO_AGENTS: &[&str] = &[
    "order",
    "number",
    "folder",
    "header",
    "filter",
    "server",
    "cluster",
    "container",
    "identifier",
    "counter",
    "letter",
    "layer",
    "parameter",
    "register",
    "router",
    "trigger",
    "timer",
    "offer",
    "voucher",
    "computer",
    "sensor",
    "vector",
    "color",
    "error",
    "factor",
    "floor",
    "behavior",
    "adapter",
    "driver",
    "provider",
    "tracker",
    "worker",
    "printer",
    "paper",
    "river",
    "chapter",
    "semester",
    "quarter",
    "center",
    "monitor",
    "processor",
    "indicator",
    "connector",
    "calculator",
    "generator",
    "vendor",
    "sponsor",
    "advisor",
    "customer",
    "manufacturer",
    "carrier",
    "shipper",
    "supplier",
    "dealer",
    "retailer",
    "publisher",
    "character",
    "player",
    "member",
    "other",
    "answer",
    "transfer",
    "water",
    "power",
    "newsletter",
    "banner",
    "poster",
    "helper",
    "wrapper",
    "master",
    "user",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_split_at_every_usual_boundary() {
        for (name, words) in [
            ("project_id", "project id"),
            ("projectId", "project id"),
            ("CustomerID", "customer id"),
            ("HTTPServerId", "http server id"),
            ("ORDER_LINE-No", "order line no"),
            ("address2_id", "address 2 id"),
        ] {
            assert_eq!(split(name).join(" "), words, "{name}");
        }
    }

    #[test]
    fn verb_and_agent_have_one_root() {
        for (verb, agent) in
            [("ship", "shipper"), ("supplied", "supplier"), ("published", "publisher"), ("carry", "carrier")]
        {
            assert_eq!(root(verb), root(agent), "{verb}");
        }
        assert_eq!(root("by"), None);
    }

    #[test]
    fn singular_of_plurals_that_schemas_have() {
        for (many, one) in [
            ("users", "user"),
            ("categories", "category"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("status", "status"),
            ("boxes", "box"),
            ("analyses", "analysis"),
            ("analysis", "analysis"),
            ("people", "person"),
            ("houses", "house"),
            ("purchases", "purchase"),
            ("branches", "branch"),
            ("invoices", "invoice"),
            ("class", "class"),
            ("movies", "movie"),
            ("warehouses", "warehouse"),
        ] {
            assert_eq!(singular(many), one);
        }
        assert_eq!(noun(&["config", "sets"]), "configset");
    }
}
