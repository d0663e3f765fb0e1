//! Which parents a column's name can mean.

use super::catalogue::{Catalogue, Naming, Thing};
use super::decide::Counts;
use super::model::Feature;
use super::scoring;
use super::words::{self, noun, singular};
use crate::schema::{Column, Family, Table, TableName};

/// A parent that a column may refer to.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The parent.
    pub parent: TableName,
    /// Its columns, one for each of the child's.
    pub parent_columns: Vec<String>,
    /// What speaks for it and against it.
    pub features: Vec<Feature>,
    /// What the rows say, if any were read.
    pub counts: Option<Counts>,
}

impl Candidate {
    /// Returns how much of a feature the candidate has.
    pub fn value(&self, name: &str) -> f64 {
        self.features.iter().filter(|f| f.name == name).map(|f| f.value).sum()
    }

    /// Tells whether only rows can speak for it.
    pub fn is_nameless(&self) -> bool {
        self.features.iter().any(|f| f.name == "name.none")
    }
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
    search.by_letter(&mut all);
    search.by_habit(habit, &mut all);
    // A table whose key is not called after itself has it from another; if the name says that other, it is meant.
    let said: Vec<TableName> = all.iter().filter(|c| c.value("name.table") > 0.0).map(|c| c.parent.clone()).collect();
    for candidate in all.iter_mut().filter(|c| said.iter().any(|s| *s != c.parent)) {
        for feature in
            candidate.features.iter_mut().filter(|f| matches!(f.name, "name.key_only" | "name.key_abbreviated"))
        {
            feature.name = "name.key_of_extension";
        }
    }
    all
}

pub(super) fn is_sole_key(table: &Table, column: &Column) -> bool {
    scoring::sole_key(table).is_some_and(|k| k.name == column.name)
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

/// How a name has been found to be a table's: the feature, and whether words are left over before it.
#[derive(Clone, Copy, PartialEq)]
struct Way {
    feature: &'static str,
    with_role: bool,
}

const OUTRIGHT: Way = Way { feature: "name.table", with_role: false };
const WITH_ROLE: Way = Way { feature: "name.role_and_table", with_role: true };
const ABBREVIATED: Way = Way { feature: "name.abbreviated", with_role: false };
const ROLE_AND_ABBREVIATED: Way = Way { feature: "name.role_and_abbreviated", with_role: false };
const IN_CONTEXT: Way = Way { feature: "name.in_context", with_role: false };
const MORE_SPECIFIC: Way = Way { feature: "name.more_specific", with_role: false };
const ROLE_IN_CONTEXT: Way = Way { feature: "name.role_in_context", with_role: false };

impl Search<'_, '_> {
    /// `customer_id`, `billing_address_id`, `config_files.set_id`.
    fn by_name(&self, reading: &Reading, all: &mut Vec<Candidate>) {
        let stem = &reading.stem;
        // `team_user.team_user_id` is its own key, no user's.
        if self.is_sole_key && noun(stem) == noun(self.catalogue.words_of(&self.child.name)) {
            return;
        }
        let whole = self.try_stem(stem, reading, OUTRIGHT, all);
        let own: Vec<String> = self.catalogue.words_of(&self.child.name).iter().map(|w| singular(w)).collect();
        if whole && !reading.glued && reading.ending == Ending::Id {
            self.more_specific(stem, &own, reading, all);
        }
        if whole || reading.glued {
            return;
        }
        if let Some(spelled) = words::spelled_out(stem)
            && self.try_stem(&spelled, reading, ABBREVIATED, all)
        {
            return;
        }
        // The child's own first words complete the name: `config_files.set_id`.
        for n in (1..=own.len()).rev() {
            if self.try_stem(&[&own[..n], stem].concat(), reading, IN_CONTEXT, all) {
                return;
            }
        }
        // A role before the name, the longest name first.
        let numbered = stem.last().is_some_and(|w| w.chars().all(char::is_numeric)) && stem.len() > 1;
        if numbered && self.try_stem(&stem[..stem.len() - 1], reading, WITH_ROLE, all) {
            return;
        }
        let with_role = match &reading.ending {
            Ending::Id => true,
            Ending::Natural(word) => word == "code",
            Ending::Bare => false,
        };
        if !with_role {
            return;
        }
        for start in 1..stem.len() {
            let rest = &stem[start..];
            if self.try_stem(rest, reading, WITH_ROLE, all) {
                self.more_specific(rest, &own, reading, all);
                return;
            }
            if reading.ending == Ending::Id && own.len() > rest.len() && noun(&own).ends_with(&noun(rest)) {
                self.own_kind(all);
            }
            if let Some(spelled) = words::spelled_out(rest)
                && self.try_stem(&spelled, reading, ROLE_AND_ABBREVIATED, all)
            {
                return;
            }
        }
        for start in 1..stem.len() {
            let full = [&own[..own.len().min(1)], &stem[start..]].concat();
            if self.try_stem(&full, reading, ROLE_IN_CONTEXT, all) {
                return;
            }
        }
    }

    /// `order_items.status_id` where there are `statuses` and `order_statuses`.
    fn more_specific(&self, stem: &[String], own: &[String], reading: &Reading, all: &mut Vec<Candidate>) {
        for n in (1..=own.len()).rev() {
            let full = [&own[..n], stem].concat();
            let is_other = noun(&full) != noun(own);
            if is_other && self.try_stem(&full, reading, MORE_SPECIFIC, all) {
                return;
            }
        }
    }

    /// `product_categories.parent_category_id`: a role before the end of the table's own name.
    fn own_kind(&self, all: &mut Vec<Candidate>) {
        let Some((key, _)) = scoring::key_of(self.child, &self.column.name) else { return };
        let how = format!("`{}` ends as the name of `{}` itself does", self.column.name, self.child.name);
        self.push_to(self.child, key, vec![Feature::new("name.role_and_own_end", how)], all);
    }

    /// Adds the tables of a name; tells whether there was one.
    fn try_stem(&self, stem: &[String], reading: &Reading, way: Way, all: &mut Vec<Candidate>) -> bool {
        let noun = noun(stem);
        let outright = way == OUTRIGHT;
        if noun.len() < 2 && !outright {
            return false;
        }
        let mut found = false;
        let named = self.catalogue.named(&noun, &self.child.name);
        let only = named.len() == 1;
        for (thing, naming) in named {
            let cut = match naming {
                Naming::Full => None,
                Naming::WithoutPrefix => Some("name.prefix_cut"),
                // Too little to stand beside a role or a guess.
                Naming::End if !only || !outright || reading.ending != Ending::Id || thing.is_copy => continue,
                Naming::End if words::OFTEN_ELSEWHERE.contains(&noun.as_str()) => continue,
                Naming::End => Some("name.table_ends_so"),
                Naming::WithoutFiller if !only || reading.ending != Ending::Id || thing.is_copy => continue,
                Naming::WithoutFiller => Some("name.filler_cut"),
            };
            let itself = thing.table.name == self.child.name;
            // A table's own name before `id` is its own identifier, not a reference: `orders.order_no`.
            if itself && !way.with_role {
                continue;
            }
            let how = match naming {
                Naming::Full | Naming::WithoutPrefix if stem.len() < reading.stem.len() => {
                    format!("the name `{}` ends with that of table `{}`", self.column.name, thing.table.name)
                }
                Naming::End => {
                    format!("`{}` is the only table whose name ends with `{}`", thing.table.name, stem.join("_"))
                }
                _ => format!("the name `{}` says table `{}`", self.column.name, thing.table.name),
            };
            let mut features = vec![Feature::new(way.feature, how)];
            features.extend(cut.map(|c| Feature::new(c, "")));
            found |= self.add(thing, &reading.ending, features, all);
        }
        found
    }

    /// `film_id` where `film_id` is the key of `film`; `businessentityid`, which five tables have as their key;
    /// `fromcurrencycode`.
    fn by_key_name(&self, all: &mut Vec<Candidate>) {
        let name = self.words.concat();
        let own_name = self.catalogue.words_of(&self.child.name);
        let owners = self.catalogue.with_key_named(&name, &self.child.name);
        let in_full = |thing: &&Thing<'_>| name.starts_with(&thing.noun) || name.starts_with(&thing.words.concat());
        // `aid` is the key of `author`, `apt_id` that of `apartments`, where no owner has it in full.
        let shortly = !owners.iter().any(in_full);
        let titled = |thing: &&Thing<'_>| in_full(thing) || (shortly && words::abbreviates(&name, &thing.noun));
        if self.is_sole_key
            && (own_name.is_empty() || owners.iter().any(|t| t.table.name == self.child.name && titled(t)))
        {
            return;
        }
        let others = owners.into_iter().filter(|t| t.table.name != self.child.name).collect::<Vec<_>>();
        // `website_event.event_id`: the table's last word says it as well, where it is the only one.
        let last = |thing: &&Thing<'_>| thing.words.last().is_some_and(|w| name.starts_with(&singular(w)));
        let only = others.len() == 1;
        let is_own_key = self.child.is_unique(std::slice::from_ref(&self.column.name));
        let has_root = others.iter().any(titled);
        let own = own_name.concat();
        // Of tables that extend one another, the child's name tells which: `employee_pay_history`.
        let namesake = others.iter().filter(|t| !titled(t) && own.len() > t.noun.len() && own.starts_with(&t.noun));
        let namesake = namesake.max_by_key(|t| t.noun.len()).map(|t| &t.table.name);
        for thing in &others {
            let Some((key, true)) = scoring::key_of(thing.table, &self.column.name) else { continue };
            let how = format!("`{}` is the name of the primary key of `{}`", key.name, thing.table.name);
            let feature = match () {
                () if titled(thing) && in_full(thing) => "name.key",
                () if only && last(thing) => "name.key",
                () if titled(thing) => "name.key_abbreviated",
                () if namesake == Some(&thing.table.name) => "name.key_of_namesake",
                () if has_root => "name.key_of_extension",
                () if only && !is_own_key && ends_like_key(&name) => "name.key_only",
                () if !only && others.len() <= 8 && ends_like_key(&name) => "name.key_of_several",
                () => continue,
            };
            self.push(thing, key, vec![Feature::new(feature, how)], all);
        }
        if others.is_empty() && !self.is_sole_key {
            self.by_end_of_name(&name, all);
        }
    }

    /// `shiptoaddressid` where `addressid` is the key of `address`.
    fn by_end_of_name(&self, name: &str, all: &mut Vec<Candidate>) {
        for (start, _) in name.char_indices().skip(2) {
            let end = &name[start..];
            if end.len() < 5 {
                return;
            }
            let owners = self.catalogue.with_key_named(end, &self.child.name);
            let titled = |thing: &&&Thing<'_>| end.starts_with(&thing.noun) && end.len() > thing.noun.len();
            if let Some(thing) = owners.iter().find(titled) {
                let Some((key, true)) = scoring::key_of(thing.table, &self.column.name) else { return };
                let how = format!("`{}` ends with `{}`, the key of `{}`", self.column.name, key.name, thing.table.name);
                self.push(thing, key, vec![Feature::new("name.role_and_key", how)], all);
                return;
            }
        }
    }

    /// `parent_id`, `owner_id`, `created_by`, `granter_id`.
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
            Ending::Id => None,
            _ if said => Some(Feature::new("role.without_id", "")),
            _ => Some(Feature::new("role.may_be_a_flag", "")),
        };
        // `ship_via`, `supplied_by`: those who do it may have a table of their own.
        if let [.., verb, "by" | "via" | "through"] =
            reading.stem.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
            && let Some(thing) = self.catalogue.agents_of(verb, &self.child.name)
            && thing.table.name != self.child.name
        {
            let how = format!("`{}` says who does it, and `{}` are those", self.column.name, thing.table.name);
            let mut features = vec![Feature::new("name.verb_of_agent", how)];
            features.extend(bare.map(|_| Feature::new("role.without_id", "")));
            self.add(thing, &Ending::Id, features, all);
            return;
        }
        if is_self || is_people_self {
            if let Some((key, _)) = scoring::key_of(self.child, &self.column.name)
                && key.name != self.column.name
            {
                let how = format!("`{}` names another row of `{}`", self.column.name, self.child.name);
                let features = [Feature::new("role.self", how)].into_iter().chain(bare).collect();
                self.push_to(self.child, key, features, all);
            }
        } else if is_person && let Some(thing) = self.catalogue.people(&self.child.name) {
            // `owner text` may as well be a name, even where keys are texts.
            let text = reading.ending == Ending::Bare
                && !(by || glued_actor || last == Some("to"))
                && self.column.data_type.family == Family::Text;
            let how = format!("`{}` names a person, and people are in `{}`", self.column.name, thing.table.name);
            let mut features = vec![Feature::new("role.person", how)];
            features.extend(bare);
            features.extend(text.then(|| Feature::new("role.may_be_a_name", "")));
            self.add(thing, &Ending::Id, features, all);
        } else if reading.ending == Ending::Id
            && !reading.glued
            && last.is_some_and(words::is_agent)
            && all.is_empty()
            && let Some(thing) = self.catalogue.people(&self.child.name)
        {
            let how = format!("`{}` says who does it, and people are in `{}`", self.column.name, thing.table.name);
            self.add(thing, &Ending::Id, vec![Feature::new("role.agent", how)], all);
        }
    }

    /// The columns `A` and `B` of a table that is called after two others.
    fn by_letter(&self, all: &mut Vec<Candidate>) {
        let Some(at) = ["a", "b"].iter().position(|l| self.column.name.eq_ignore_ascii_case(l)) else { return };
        let Some([first, second]) = self.catalogue.joined_by(&self.child.name) else { return };
        // Prisma gives the first letter to the model that comes first in the alphabet ("Relation table conventions").
        let (first, second) = if first.noun <= second.noun { (first, second) } else { (second, first) };
        let thing = if at == 0 { first } else { second };
        let Some((key, _)) = scoring::key_of(thing.table, "") else { return };
        let how = format!("`{}` joins two tables, of which `{}` is one", self.child.name, thing.table.name);
        self.push(thing, key, vec![Feature::new("name.letter_of_junction", how)], all);
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
        let mut features = vec![Feature::new("habit", how)];
        if *times > 2 {
            features.push(Feature::new("habit.often", ""));
        }
        self.push_to(table, key, features, all);
    }

    fn add(&self, thing: &Thing<'_>, ending: &Ending, mut features: Vec<Feature>, all: &mut Vec<Candidate>) -> bool {
        let key = match ending {
            Ending::Natural(word) => {
                let natural = natural_key(self.catalogue, thing.table, self.column, word);
                // `league_key`, `employee_no`: the key, by another name.
                let other = || {
                    scoring::key_of(thing.table, "").filter(|_| matches!(word.as_str(), "key" | "no" | "nr" | "num"))
                };
                let Some(key) = natural.or_else(|| Some(other()?.0)) else { return false };
                features.push(Feature::new(
                    if natural.is_some() { scoring::natural(word) } else { "ending.other_key" },
                    "",
                ));
                key
            }
            Ending::Id => {
                let Some((key, _)) = scoring::key_of(thing.table, &self.column.name) else { return false };
                twin_key(thing.table, self.words, key)
            }
            Ending::Bare => {
                let Some((key, _)) = scoring::key_of(thing.table, &self.column.name) else { return false };
                // `order integer` is a place in a row, `comments integer` a count.
                let last = self.words.last().map_or("", String::as_str);
                if words::QUANTITIES.contains(&last) || singular(last) != last {
                    return false;
                }
                // A key that is a number has no number for its default.
                if self.column.default.as_ref().is_some_and(|d| d.trim().parse::<f64>().is_ok()) {
                    return false;
                }
                // A text beside a text key may as well be a name or a label.
                let text = matches!(self.column.data_type.family, Family::Text | Family::Any);
                let family = key.data_type.family;
                let is_decimal = self.column.data_type.family == Family::Decimal && family != Family::Decimal;
                if is_decimal || (text && family == Family::Integer) {
                    return false;
                }
                features.push(Feature::new(if text { "ending.none_text" } else { "ending.none" }, ""));
                key
            }
        };
        self.push(thing, key, features, all)
    }

    fn push(&self, thing: &Thing<'_>, key: &Column, mut features: Vec<Feature>, all: &mut Vec<Candidate>) -> bool {
        if thing.is_copy {
            let says = format!("`{}` repeats rows that belong to another table", thing.table.name);
            features.push(Feature::new("parent.is_copy", says));
        }
        self.push_to(thing.table, key, features, all)
    }

    fn push_to(&self, parent: &Table, key: &Column, mut features: Vec<Feature>, all: &mut Vec<Candidate>) -> bool {
        if (parent.name == self.child.name && key.name == self.column.name)
            || is_twin(self.child, self.column, parent, key)
        {
            return false;
        }
        let engine = self.catalogue.schema.engine;
        let Some((fit, types)) = scoring::types(engine, self.column, key) else { return false };
        // `salaries.teamid` is what `teams.teamid` is, not what `teams.id` is.
        let has_it_too = parent.name != self.child.name
            && key.name != self.column.name
            && parent.column(&self.column.name).is_some();
        if fit == "type.crossed" && (has_it_too || features.iter().any(|f| f.name == "ending.other_key")) {
            return false;
        }
        if has_it_too {
            let says = format!("`{}` has a column `{}` of its own", parent.name, self.column.name);
            features.push(Feature::new("parent.has_column_too", says));
        }
        // A row of an inheriting table is one of the parent's, not one that refers to it.
        if self.is_sole_key && self.child.inherits.contains(&parent.name) {
            return false;
        }
        features.push(Feature::new(fit, format!("`{}.{}`: {types}", parent.name, key.name)));
        if self.is_sole_key {
            // The table's own key refers to another table only where each row extends one of that table's.
            if !scoring::can_extend(&features) {
                return false;
            }
            let says = format!("`{}` is the key of `{}` too: one row each", self.column.name, self.child.name);
            features.push(Feature::new("child.is_key", says));
        }
        if let Some(same) = all.iter_mut().find(|c| c.parent == parent.name && c.parent_columns == [key.name.as_str()])
        {
            // Two ways to the same parent are one name, read twice: the way that says more counts.
            const WEAKER: &[&str] =
                &["name.key_only", "name.key_of_extension", "name.key_of_several", "name.key_of_namesake"];
            let is_name = |f: &Feature| ["name.", "role.", "ending."].iter().any(|p| f.name.starts_with(p));
            if features.first().is_some_and(|f| f.name == "name.table")
                && same.features.first().is_some_and(|f| WEAKER.contains(&f.name))
            {
                same.features.retain(|f| !is_name(f));
                let old = std::mem::take(&mut same.features);
                same.features = features.iter().filter(|f| is_name(f)).cloned().collect();
                same.features.extend(old);
            } else {
                features.retain(|f| !is_name(f));
            }
            features.retain(|f| !same.features.iter().any(|s| s.name == f.name));
            same.features.append(&mut features);
            return true;
        }
        all.push(Candidate {
            parent: parent.name.clone(),
            parent_columns: vec![key.name.clone()],
            features,
            counts: None,
        });
        true
    }
}

/// Tells whether a column is its table's copy of the parent's own key: a table that repeats all columns of another
/// (a partition, a child by inheritance, an archive) holds rows of that table, not references to it.
fn is_twin(child: &Table, column: &Column, parent: &Table, key: &Column) -> bool {
    column.name == key.name
        && parent.columns.len() > 2
        && parent.columns.len() == child.columns.len()
        && parent.columns.iter().all(|c| child.column(&c.name).is_some())
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
