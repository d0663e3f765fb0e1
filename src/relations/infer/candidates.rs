//! Which parents a column's name can mean.

use super::catalogue::{Catalogue, Naming, Thing};
use super::scoring;
use super::words::{self, noun, singular};
use crate::schema::{Column, Family, Table, TableName};

/// A parent that a column may refer to.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub parent: TableName,
    pub parent_column: String,
    /// From 0 to 1.
    pub score: f64,
    /// What speaks for it, a sentence each.
    pub evidence: Vec<String>,
}

/// What the end of a column's name says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ending {
    /// `_id`, `_uuid`, …: the key of a row.
    Id,
    /// `_code`, `_no`, …: a natural key, perhaps.
    Natural(String),
    /// Nothing.
    Bare,
}

/// A column's name, taken apart.
struct Reading {
    /// What is referred to, with its role before it: `billing address`.
    stem: Vec<String>,
    ending: Ending,
    /// Whether the ending was cut off a word (`hostid`), so that the stem must be a table's name to mean anything.
    glued: bool,
}

/// Returns the candidates for one column.
pub(super) fn of(
    catalogue: &Catalogue<'_>,
    child: &Table,
    column: &Column,
    habit: Option<&(&TableName, &str, usize)>,
) -> Vec<Candidate> {
    let words = catalogue.column_words(child, &column.name);
    let search = Search { catalogue, child, column, is_sole_key: is_sole_key(child, column), words: &words };
    let mut all = Vec::new();
    if names_other_system(catalogue, &words) {
        return all;
    }
    search.by_key_name(&mut all);
    for reading in readings(&words) {
        search.by_name(&reading, &mut all);
        search.by_role(&reading, &mut all);
    }
    search.by_habit(habit, &mut all);
    all
}

fn is_sole_key(table: &Table, column: &Column) -> bool {
    table.primary_key.as_ref().is_some_and(|k| k.columns == [column.name.as_str()])
}

/// Tells whether a name is that of another system's id: `stripe_customer_id`, unless a table of that name is here.
fn names_other_system(catalogue: &Catalogue<'_>, words: &[String]) -> bool {
    let foreign =
        words.iter().take(words.len().saturating_sub(1)).any(|w| words::FOREIGN_SYSTEMS.contains(&w.as_str()));
    let is_table = |w: &[String]| !catalogue.named(&noun(w), &TableName::new("")).is_empty();
    foreign && !(words.len() > 1 && is_table(&words[..words.len() - 1]))
}

/// Returns the ways to read a column's name.
fn readings(words: &[String]) -> Vec<Reading> {
    let reading = |stem: &[String], ending| Reading { stem: stem.to_vec(), ending, glued: false };
    let Some((last, front)) = words.split_last() else { return Vec::new() };
    let is_id = |w: &str| words::ID_WORDS.contains(&w);
    if is_id(last) && !front.is_empty() {
        // `user_uuid_fk`
        let stem = front.split_last().filter(|(w, rest)| is_id(w) && !rest.is_empty()).map_or(front, |(_, rest)| rest);
        return vec![reading(stem, Ending::Id)];
    }
    if is_id(&words[0]) && words.len() > 1 {
        return vec![reading(&words[1..], Ending::Id)];
    }
    let mut all = Vec::new();
    if words::NATURAL_WORDS.contains(&last.as_str()) && !front.is_empty() {
        all.push(reading(front, Ending::Natural(last.clone())));
        return all;
    }
    for tail in ["uuid", "guid", "id", "key", "code", "no"] {
        if let Some(cut) = last.strip_suffix(tail).filter(|cut| cut.len() > 1) {
            let stem = front.iter().cloned().chain([cut.to_string()]).collect();
            let ending = if is_id(tail) { Ending::Id } else { Ending::Natural(tail.to_string()) };
            all.push(Reading { stem, ending, glued: true });
            break;
        }
    }
    all.push(reading(words, Ending::Bare));
    all
}

struct Search<'a, 's> {
    catalogue: &'a Catalogue<'s>,
    child: &'a Table,
    column: &'a Column,
    is_sole_key: bool,
    words: &'a [String],
}

impl Search<'_, '_> {
    /// `customer_id`, `billing_address_id`, `config_files.set_id`.
    fn by_name(&self, reading: &Reading, all: &mut Vec<Candidate>) {
        let stem = &reading.stem;
        // `team_user.team_user_id` is its own key, no user's.
        if self.is_sole_key && noun(stem) == noun(self.catalogue.words_of(&self.child.name)) {
            return;
        }
        let whole = self.try_stem(stem, reading, None, all);
        if whole || reading.glued {
            return;
        }
        if let Some(spelled) = words::spelled_out(stem)
            && self.try_stem(&spelled, reading, Some(scoring::ABBREVIATED), all)
        {
            return;
        }
        // The child's own first words complete the name: `config_files.set_id`.
        let own: Vec<String> = self.catalogue.words_of(&self.child.name).iter().map(|w| singular(w)).collect();
        for n in (1..=own.len()).rev() {
            if self.try_stem(&[&own[..n], stem].concat(), reading, Some(scoring::IN_CONTEXT), all) {
                return;
            }
        }
        // A role before the name, the longest name first.
        let numbered = stem.last().is_some_and(|w| w.chars().all(char::is_numeric)) && stem.len() > 1;
        if numbered && self.try_stem(&stem[..stem.len() - 1], reading, Some(scoring::ROLE_AND_NAME), all) {
            return;
        }
        let with_role = match &reading.ending {
            Ending::Id => true,
            Ending::Natural(word) => word == "code",
            Ending::Bare => false,
        };
        if with_role {
            for start in 1..stem.len() {
                let rest = &stem[start..];
                if self.try_stem(rest, reading, Some(scoring::ROLE_AND_NAME), all) {
                    return;
                }
                if let Some(spelled) = words::spelled_out(rest)
                    && self.try_stem(&spelled, reading, Some(scoring::ABBREVIATED - 0.1), all)
                {
                    return;
                }
            }
            for start in 1..stem.len() {
                let full = [&own[..own.len().min(1)], &stem[start..]].concat();
                if self.try_stem(&full, reading, Some(scoring::IN_CONTEXT - 0.1), all) {
                    return;
                }
            }
        }
    }

    /// Adds the tables of a name; tells whether there was one.
    fn try_stem(&self, stem: &[String], reading: &Reading, at_most: Option<f64>, all: &mut Vec<Candidate>) -> bool {
        let noun = noun(stem);
        if noun.len() < 2 && at_most.is_some() {
            return false;
        }
        let with_role = at_most == Some(scoring::ROLE_AND_NAME);
        let mut found = false;
        let named = self.catalogue.named(&noun, &self.child.name);
        let only = named.len() == 1;
        for (thing, naming) in named {
            let named = match naming {
                Naming::Full => scoring::NAMED,
                Naming::WithoutPrefix => scoring::NAMED_WITHOUT_PREFIX,
                // Too little to stand beside a role or a guess.
                Naming::End if !only || at_most.is_some() || reading.ending != Ending::Id || thing.is_copy => continue,
                Naming::End if words::OFTEN_ELSEWHERE.contains(&noun.as_str()) => continue,
                Naming::End => scoring::TABLE_ENDS_SO,
                Naming::WithoutFiller if !only || reading.ending != Ending::Id || thing.is_copy => continue,
                Naming::WithoutFiller => scoring::NAMED_WITHOUT_FILLER,
            };
            let itself = thing.table.name == self.child.name;
            // A table's own name before `id` is its own identifier, not a reference: `orders.order_no`.
            if itself && !with_role {
                continue;
            }
            let score = at_most.map_or(named, |most| most.min(named));
            let how = match naming {
                Naming::Full | Naming::WithoutPrefix if stem.len() < reading.stem.len() => {
                    format!("the name `{}` ends with that of table `{}`", self.column.name, thing.table.name)
                }
                Naming::End => {
                    format!("`{}` is the only table whose name ends with `{}`", thing.table.name, stem.join("_"))
                }
                _ => format!("the name `{}` says table `{}`", self.column.name, thing.table.name),
            };
            found |= self.add(thing, &reading.ending, score, how, all);
        }
        found
    }

    /// `film_id` where `film_id` is the key of `film`; `businessentityid`.
    fn by_key_name(&self, all: &mut Vec<Candidate>) {
        let name = self.words.concat();
        let owners = self.catalogue.with_key_named(&name, &self.child.name);
        let own_name = self.catalogue.words_of(&self.child.name);
        if self.is_sole_key && (own_name.is_empty() || name.starts_with(&noun(own_name))) {
            return;
        }
        let titled = |thing: &&Thing<'_>| name.starts_with(&thing.noun) || name.starts_with(&thing.words.concat());
        let mut others = owners.into_iter().filter(|t| t.table.name != self.child.name).collect::<Vec<_>>();
        // `website_event.event_id`: the table's last word says it as well, where it is the only one.
        let last = |thing: &&Thing<'_>| thing.words.last().is_some_and(|w| name.starts_with(&singular(w)));
        let best =
            others.iter().position(titled).or_else(|| others.iter().position(last).filter(|_| others.len() == 1));
        let own = [self.column.name.clone()];
        let is_own_key = self.child.is_unique(&own);
        let (thing, score) = match (best, others.len()) {
            (Some(i), _) => (others.swap_remove(i), scoring::SAME_KEY_NAME),
            (None, 1) if !is_own_key && ends_like_key(&name) => (others.remove(0), scoring::SAME_KEY_NAME_ONLY),
            _ => return,
        };
        let Some((key, true)) = scoring::key_of(thing.table, &self.column.name) else { return };
        let how = format!("`{}` is the name of the primary key of `{}`", key.name, thing.table.name);
        self.push(thing, key, score, how, all);
    }

    /// `parent_id`, `owner_id`, `created_by`.
    fn by_role(&self, reading: &Reading, all: &mut Vec<Candidate>) {
        if matches!(reading.ending, Ending::Natural(_)) {
            return;
        }
        let role = reading.stem.concat();
        let last = reading.stem.last().map(String::as_str);
        let by = last == Some("by") && reading.stem.len() > 1 && !words::NO_ACTORS.contains(&reading.stem[0].as_str());
        let glued_actor = words::GLUED_ACTORS.contains(&role.as_str());
        let is_person = by || glued_actor || words::PERSON_ROLES.contains(&role.as_str());
        let is_self = words::SELF_ROLES.contains(&role.as_str());
        let own = self.catalogue.words_of(&self.child.name);
        let of_people = own.last().is_some_and(|w| words::PEOPLE.contains(&singular(w).as_str()));
        let is_people_self = of_people && words::PEOPLE_SELF_ROLES.contains(&role.as_str());
        // Without `id`, `parent` and `created_by` say it still; `admin`, `root` or `original` may as well be a flag.
        let said = by
            || glued_actor
            || words::SAID_WITHOUT_ID.contains(&role.as_str())
            || ["by", "to", "of", "from", "into"].iter().any(|w| last == Some(*w));
        let bare = match reading.ending {
            Ending::Id => 1.0,
            _ if said => 0.95,
            _ => 0.5,
        };
        if is_self || is_people_self {
            if let Some((key, _)) = scoring::key_of(self.child, &self.column.name)
                && key.name != self.column.name
            {
                let how = format!("`{}` names another row of `{}`", self.column.name, self.child.name);
                self.push_to(self.child, key, scoring::SELF_ROLE * bare, how, all);
            }
        } else if is_person && let Some(thing) = self.catalogue.people(&self.child.name) {
            // `owner text` may as well be a name, even where keys are texts.
            let text = reading.ending == Ending::Bare
                && !(by || glued_actor || last == Some("to"))
                && self.column.data_type.family == Family::Text;
            let score = scoring::PERSON_ROLE * bare * if text { 0.6 } else { 1.0 };
            let how = format!("`{}` names a person, and people are in `{}`", self.column.name, thing.table.name);
            self.add(thing, &Ending::Id, score, how, all);
        }
    }

    /// The column is called like others that a declared key makes refer to one table.
    fn by_habit(&self, habit: Option<&(&TableName, &str, usize)>, all: &mut Vec<Candidate>) {
        let Some((parent, key, times)) = habit else { return };
        let Some(table) = self.catalogue.schema.table(parent) else { return };
        let Some(key) = table.column(key) else { return };
        let name = self.words.concat();
        if self.is_sole_key || words::GENERIC_KEYS.contains(&name.as_str()) {
            return;
        }
        // `nodes.node_id` says which node it is, `background_job.job_id` which job: the table's own noun.
        let own = noun(self.catalogue.words_of(&self.child.name));
        if let Some((_, stem)) = self.words.split_last().filter(|(w, _)| words::ID_WORDS.contains(&w.as_str())) {
            let stem = noun(stem);
            if !stem.is_empty() && (own == stem || **parent == self.child.name && own.ends_with(&stem)) {
                return;
            }
        }
        let count = if *times == 1 { "the one declared key".to_string() } else { format!("all {times} declared keys") };
        let how = format!("{count} on a column `{}` refer to `{parent}`", self.column.name);
        let score = scoring::HABIT + if *times > 2 { 0.08 } else { 0.0 };
        self.push_to(table, key, score, how, all);
    }

    fn add(&self, thing: &Thing<'_>, ending: &Ending, score: f64, how: String, all: &mut Vec<Candidate>) -> bool {
        let (key, worth) = match ending {
            Ending::Natural(word) => {
                let Some(key) = natural_key(self.catalogue, thing.table, self.column, word) else { return false };
                (key, scoring::natural(word) / scoring::NAMED)
            }
            Ending::Id => {
                let Some((key, _)) = scoring::key_of(thing.table, &self.column.name) else { return false };
                (twin_key(thing.table, self.words, key), 1.0)
            }
            Ending::Bare => {
                let Some((key, _)) = scoring::key_of(thing.table, &self.column.name) else { return false };
                // `order integer` is a place in a row, `comments integer` a count.
                let last = self.words.last().map_or("", String::as_str);
                // A key that is a number has no number for its default.
                if self.column.default.as_ref().is_some_and(|d| d.trim().parse::<f64>().is_ok()) {
                    return false;
                }
                if words::QUANTITIES.contains(&last) || singular(last) != last {
                    return false;
                }
                // A text beside a text key may as well be a name or a label.
                let text = matches!(self.column.data_type.family, Family::Text | Family::Any);
                let family = key.data_type.family;
                let is_decimal = self.column.data_type.family == Family::Decimal && family != Family::Decimal;
                if is_decimal || (text && family == Family::Integer) {
                    return false;
                }
                (key, scoring::BARE_NAME / scoring::NAMED * if text { 0.55 } else { 1.0 })
            }
        };
        self.push(thing, key, score * worth, how, all)
    }

    fn push(&self, thing: &Thing<'_>, key: &Column, score: f64, how: String, all: &mut Vec<Candidate>) -> bool {
        // Rows are repeated in a history, but belong to the original.
        let score = if thing.is_copy { score * 0.8 } else { score };
        self.push_to(thing.table, key, score, how, all)
    }

    fn push_to(&self, parent: &Table, key: &Column, score: f64, how: String, all: &mut Vec<Candidate>) -> bool {
        let itself = parent.name == self.child.name;
        if itself && key.name == self.column.name {
            return false;
        }
        // A table with the columns of another, its key among them, keeps rows of that one: a partition, an archive.
        let is_twin = key.name == self.column.name
            && parent.columns.len() > 2
            && parent.columns.len() == self.child.columns.len()
            && parent.columns.iter().all(|c| self.child.column(&c.name).is_some());
        if is_twin {
            return false;
        }
        let Some((fit, types)) = scoring::types(self.catalogue.schema.engine, self.column, key) else { return false };
        // A row of an inheriting table is one of the parent's, not one that refers to it.
        if self.is_sole_key && self.child.inherits.contains(&parent.name) {
            return false;
        }
        let mut score = score * fit;
        let mut evidence = vec![how, format!("`{parent}.{key}`: {types}", parent = parent.name, key = key.name)];
        if self.is_sole_key {
            // The table's own key refers to another table only where each row extends one of that table's.
            if self.column.auto_number || score < scoring::ROLE_AND_NAME {
                return false;
            }
            score *= 0.9;
            evidence.push(format!("`{}` is the key of `{}` too: one row each", self.column.name, self.child.name));
        }
        all.push(Candidate { parent: parent.name.clone(), parent_column: key.name.clone(), score, evidence });
        true
    }
}

fn ends_like_key(name: &str) -> bool {
    ["id", "key", "code", "no", "uuid", "number"].iter().any(|e| name.ends_with(e))
}

/// Returns the unique column that a natural key of this name refers to: `code` or `country_code` of countries.
fn natural_key<'t>(catalogue: &Catalogue<'_>, parent: &'t Table, column: &Column, word: &str) -> Option<&'t Column> {
    let wanted = catalogue.column_words(parent, &column.name).concat();
    let unique = parent.unique_column_sets().filter(|set| set.len() == 1);
    let mut keys: Vec<&Column> = unique.filter_map(|set| parent.column(set[0])).collect();
    keys.retain(|k| {
        let words = catalogue.column_words(parent, &k.name);
        words.concat() == wanted || words == [word] || (words.last().is_some_and(|w| w == word) && words.len() == 2)
    });
    keys.sort_by_key(|k| (k.name != column.name, k.name.len()));
    keys.into_iter().next()
}

/// Returns the parent's unique `uuid` for a child column that ends so, where the primary key is something else.
fn twin_key<'t>(parent: &'t Table, words: &[String], key: &'t Column) -> &'t Column {
    let Some(last) = words.last().filter(|w| matches!(w.as_str(), "uuid" | "guid" | "ulid")) else { return key };
    let twin = parent.columns.iter().find(|c| {
        c.name != key.name
            && c.name.to_lowercase().ends_with(last.as_str())
            && parent.unique_column_sets().any(|set| set == [c.name.as_str()])
    });
    twin.filter(|_| !key.name.to_lowercase().ends_with(last.as_str()) && key.data_type.family != Family::Uuid)
        .unwrap_or(key)
}
