//! SQLite: what becomes of rows that a key's check and its action take differently, because the columns' affinities differ.

use super::super::net::{Act, Link};
use super::{Effect, Judging, Ruling, Shape, Unsure};
use crate::relations::unlike::Unlike;
use crate::schema::Action;

impl Judging<'_, '_> {
    /// Adds a ruling for each key within reach whose comparisons differ.
    pub(super) fn compared_unlike(&mut self) {
        let net = self.net;
        for at in 0..self.rulings.len() {
            let link = &net.links[self.rulings[at].link];
            let (Some(how), true) = (link.unlike, self.walk.loses_rows(link.parent)) else { continue };
            if !net.standing(self.rulings[at].link).acts || link.act == Act::Orphan {
                continue;
            }
            let checks = matches!(link.act, Act::Check(_) | Act::Fail(_));
            let restricts = self.action(link) == Some(Action::Restrict);
            let (effect, exact) = match how {
                // The scan is what a check goes by, and finds these rows, too.
                Unlike::ActionMisses | Unlike::TakesOthers if checks => continue,
                Unlike::ActionMisses => (Effect::MayFail, self.is_alone(self.rulings[at].link)),
                Unlike::TakesOthers => (Effect::MayFail, false),
                Unlike::ActionTakesOthers if restricts => (Effect::MayRefuse, false),
                Unlike::ActionTakesOthers => continue,
                Unlike::LeftBehind => (Effect::LeavesOrphans, false),
                Unlike::Mixed => (Effect::MayFail, false),
            };
            if checks && matches!(how, Unlike::LeftBehind | Unlike::Mixed) {
                // Not every child row is one that the check finds.
                let ruling = &mut self.rulings[at];
                ruling.effect = match ruling.effect {
                    Effect::Refuses => Effect::MayRefuse,
                    Effect::Fails => Effect::MayFail,
                    other => other,
                };
            }
            let link = self.rulings[at].link;
            self.rulings.push(Ruling { link, effect, order_decides: false, shape: Shape::ComparedUnlike(how), exact });
        }
    }

    fn action(&self, link: &Link<'_>) -> Option<Action> {
        self.net.graph.relations()[link.relation].foreign_key().map(|k| k.on_delete)
    }

    /// Tells whether nothing else changes or removes the child rows.
    fn is_alone(&self, link: usize) -> bool {
        let net = self.net;
        let l = &net.links[link];
        let certain = self.unsure(l.child).max(self.unsure(l.parent)) == Unsure::No;
        let other = |&i: &usize| {
            let o = &net.links[i];
            i != link && self.walk.loses_rows(o.parent) && (o.act == Act::Delete || l.shares_column(&o.changed))
        };
        let acts = matches!(l.act, Act::Delete | Act::Null);
        certain && acts && l.child != l.parent && l.child != self.walk.root && !net.above[l.child].iter().any(other)
    }
}
