//! Words in names: splitting, singular forms, abbreviations, and the lists that tell roles from things.
//!
//! Knows English and nothing of any schema.

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

/// Words that end a column which holds the key of a row.
pub(super) const ID_WORDS: &[&str] = &["id", "uuid", "guid", "ulid", "fk", "sk", "rowid"];

/// Words that end a column which holds a natural key, and may as well end one that holds something else.
pub(super) const NATURAL_WORDS: &[&str] =
    &["code", "key", "no", "nr", "num", "number", "slug", "symbol", "iso", "abbreviation", "abbrev", "name"];

/// Names of keys that every table may have; that two tables share one says nothing.
pub(super) const GENERIC_KEYS: &[&str] = &[
    "id",
    "uuid",
    "guid",
    "ulid",
    "gid",
    "oid",
    "rowid",
    "pk",
    "sk",
    "key",
    "code",
    "no",
    "nr",
    "num",
    "number",
    "name",
    "slug",
    "type",
    "status",
    "email",
    "title",
    "value",
    "hash",
    "token",
    "version",
    "year",
    "date",
    "username",
    "login",
    "url",
    "path",
    "externalid",
    "uid",
    "position",
    "sequence",
    "locale",
    "label",
];

/// Words of other systems: an id with one of these in front is that system's, whatever the next word.
pub(super) const FOREIGN_SYSTEMS: &[&str] = &[
    "adyen",
    "amazon",
    "apple",
    "asana",
    "auth0",
    "aws",
    "azure",
    "bitbucket",
    "braintree",
    "chargebee",
    "clerk",
    "cognito",
    "crm",
    "datadog",
    "discord",
    "docusign",
    "dropbox",
    "ebay",
    "erp",
    "ext",
    "external",
    "facebook",
    "fb",
    "figma",
    "firebase",
    "foreign",
    "gcp",
    "github",
    "gitlab",
    "google",
    "gocardless",
    "hubspot",
    "instagram",
    "intercom",
    "jira",
    "keycloak",
    "klaviyo",
    "legacy",
    "linear",
    "linkedin",
    "mailchimp",
    "mailgun",
    "microsoft",
    "mollie",
    "netlify",
    "netsuite",
    "notion",
    "npm",
    "oauth",
    "oidc",
    "okta",
    "openai",
    "paddle",
    "partner",
    "paypal",
    "paystack",
    "plaid",
    "posthog",
    "privy",
    "provider",
    "quickbooks",
    "razorpay",
    "remote",
    "salesforce",
    "saml",
    "segment",
    "sendgrid",
    "sentry",
    "shopify",
    "slack",
    "sso",
    "square",
    "steam",
    "stripe",
    "supabase",
    "telegram",
    "thirdparty",
    "tiktok",
    "trello",
    "twilio",
    "twitch",
    "twitter",
    "upstream",
    "vendor",
    "vercel",
    "whatsapp",
    "wise",
    "woocommerce",
    "xero",
    "youtube",
    "zendesk",
    "zoom",
];

/// Nouns whose ids often come from elsewhere, so that a table has to be called exactly so.
pub(super) const OFTEN_ELSEWHERE: &[&str] = &[
    "transaction",
    "session",
    "request",
    "device",
    "tracking",
    "reference",
    "trace",
    "correlation",
    "message",
    "event",
    "batch",
    "installation",
    "charge",
    "object",
    "resource",
    "entity",
    "record",
    "item",
    "job",
    "token",
];

/// Stems that name another row of the same table, whatever the table is.
pub(super) const SELF_ROLES: &[&str] = &[
    "parent",
    "root",
    "ancestor",
    "replyto",
    "inreplyto",
    "repliedto",
    "previous",
    "prev",
    "next",
    "duplicateof",
    "original",
    "forkedfrom",
    "copiedfrom",
    "clonedfrom",
    "mergedinto",
    "supersededby",
    "supersedes",
    "replacedby",
    "replaces",
    "renewedfrom",
    "retryof",
    "predecessor",
    "successor",
];

/// Stems that name another row of the same table where its rows are people.
pub(super) const PEOPLE_SELF_ROLES: &[&str] = &[
    "manager",
    "supervisor",
    "boss",
    "reportsto",
    "referredby",
    "referrer",
    "invitedby",
    "inviter",
    "sponsor",
    "mentor",
];

/// Stems that name a person by what they do.
pub(super) const PERSON_ROLES: &[&str] = &[
    "owner",
    "author",
    "creator",
    "assignee",
    "assignedto",
    "operator",
    "reviewer",
    "approver",
    "editor",
    "reporter",
    "requester",
    "requestor",
    "uploader",
    "inviter",
    "invitee",
    "sender",
    "recipient",
    "receiver",
    "follower",
    "followee",
    "moderator",
    "manager",
    "supervisor",
    "actor",
    "initiator",
    "submitter",
    "commenter",
    "organizer",
    "sharedwith",
    "seller",
    "buyer",
    "referrer",
    "impersonator",
    "publisher",
    "maintainer",
    "admin",
    "resourceowner",
    "supportrep",
    "salesrep",
    "representative",
    "rep",
    "agent",
];

/// Roles that name a row also without `id` after them.
pub(super) const SAID_WITHOUT_ID: &[&str] =
    &["parent", "owner", "author", "creator", "assignee", "sender", "recipient", "manager", "reviewer"];

/// Roles written as one word.
pub(super) const GLUED_ACTORS: &[&str] =
    &["createdby", "updatedby", "modifiedby", "deletedby", "approvedby", "assignedby", "reviewedby", "invitedby"];

/// Words before `by` that do not make it an actor: `sort_by`.
pub(super) const NO_ACTORS: &[&str] =
    &["sort", "sorted", "order", "ordered", "group", "grouped", "divided", "multiplied", "filter", "due", "expires"];

/// Words that end a column which holds a number or a flag, whatever table is called the same.
pub(super) const QUANTITIES: &[&str] = &[
    "order",
    "position",
    "rank",
    "level",
    "version",
    "count",
    "year",
    "month",
    "day",
    "hour",
    "index",
    "rating",
    "score",
    "point",
    "total",
    "amount",
    "price",
    "cost",
    "balance",
    "stock",
    "quantity",
    "size",
    "weight",
    "discount",
    "credit",
    "debit",
    "duration",
    "age",
    "flag",
    "number",
    "percent",
    "rate",
    "tax",
    "fee",
    "view",
    "like",
    "vote",
    "length",
    "height",
    "width",
    "priority",
    "limit",
    "quota",
    "budget",
    "salary",
    "capacity",
    "distance",
    "time",
    "timestamp",
];

/// Nouns of tables that hold people who act, the likeliest first; each rank is asked only where the one before has none.
pub(super) const PEOPLE_RANKS: &[&[&str]] =
    &[&["user"], &["person", "employee", "staff", "member"], &["account", "profile"]];

/// Nouns of tables whose rows are people, so that a person's role can be another row of the same table.
pub(super) const PEOPLE: &[&str] = &[
    "user",
    "person",
    "employee",
    "staff",
    "member",
    "account",
    "customer",
    "client",
    "contact",
    "profile",
    "driver",
    "patient",
    "student",
    "emp",
    "agent",
    "affiliate",
    "lead",
    "worker",
    "contractor",
];

/// Last words of a table's name that add nothing to what a row is: an analysis is kept in `analysis_runs`.
pub(super) const FILLERS: &[&str] =
    &["run", "record", "entry", "job", "execution", "instance", "entity", "object", "master", "header", "info", "data"];

/// Words in the name of a table that repeats another one's rows.
pub(super) const COPIES: &[&str] = &[
    "history", "archive", "archived", "backup", "bak", "old", "tmp", "temp", "staging", "audit", "log", "deleted",
    "copy",
];

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
