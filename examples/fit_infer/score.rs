//! Strict scores: child, child's columns, parent, parent's columns, all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use referee::infer::{Model, Survey};

use crate::gold::{self, Database, Match, matched};
use crate::{Args, Result};

#[derive(Default, Clone)]
pub(crate) struct Tally {
    pub found: usize,
    pub wrong: usize,
    pub unlabelled: usize,
    pub missed: usize,
    /// Confidence and truth of every guess, whatever its confidence.
    pub guesses: Vec<(f64, bool)>,
}

impl Tally {
    pub fn f1(&self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }

    pub fn precision(&self) -> f64 {
        share(self.found, self.found + self.wrong + self.unlabelled)
    }

    pub fn recall(&self) -> f64 {
        if self.found + self.missed == 0 { 1.0 } else { share(self.found, self.found + self.missed) }
    }

    pub fn add(&mut self, other: &Self) {
        self.found += other.found;
        self.wrong += other.wrong;
        self.unlabelled += other.unlabelled;
        self.missed += other.missed;
        self.guesses.extend(&other.guesses);
    }
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn share(n: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { n as f64 / of as f64 }
}

/// Scores one database's survey; `want` are the keys to be found, `known` those that were told.
pub(crate) fn tally(
    survey: &Survey<'_>,
    model: &Model,
    database: &Database,
    known: &BTreeSet<Match>,
    list: bool,
) -> Tally {
    let want: BTreeSet<&Match> = database.want.iter().filter(|w| !known.contains(*w)).collect();
    let labelled: BTreeSet<(&String, &Vec<String>)> = want.iter().map(|w| (&w.0, &w.1)).collect();
    let mut tally = Tally::default();
    let mut got = BTreeMap::new();
    for p in survey.decide(model, 0.5) {
        let it = matched(&p.child.name, &p.columns, &p.parent.name, &p.parent_columns);
        tally.guesses.push((p.confidence, want.contains(&it)));
        got.insert(it, p);
    }
    for (it, p) in &got {
        let kind = if want.contains(it) {
            tally.found += 1;
            continue;
        } else if labelled.contains(&(&it.0, &it.1)) {
            tally.wrong += 1;
            "wrong"
        } else {
            tally.unlabelled += 1;
            "unlabelled"
        };
        if list {
            let why: Vec<String> =
                p.evidence.iter().map(|(f, w)| format!("{}={:.2}:{w:+.2}", f.name, f.value)).collect();
            println!("{kind:10} {:.2} {} {it:?}\n           {}", p.confidence, database.name, why.join(" "));
        }
    }
    for w in want {
        if !got.contains_key(w) {
            tally.missed += 1;
            if list {
                println!("missed     {} {w:?}", database.name);
                for s in &survey.subjects {
                    for c in &s.candidates {
                        if matched(&s.child.name, &s.columns, &c.parent.name, &c.parent_columns) == *w {
                            let why: Vec<String> = c
                                .features
                                .iter()
                                .map(|f| format!("{}={:.2}:{:+.2}", f.name, f.value, f.value * model.weight(f.name)))
                                .collect();
                            println!("           {:.2} {}", model.score(&c.features), why.join(" "));
                        }
                    }
                }
            }
        }
    }
    tally
}

pub(crate) fn report(args: &Args) -> Result<()> {
    for dir in &args.dirs {
        let all = gold::load(dir)?;
        let mut rows = Vec::new();
        for (set, members) in gold::sets(&all) {
            let start = Instant::now();
            let mut sum = Tally::default();
            for i in members {
                let survey = all[i].survey(&[], args.data)?;
                let list = args.list.as_deref().is_some_and(|l| l == set || l == "all");
                sum.add(&tally(&survey, Model::published(), &all[i], &BTreeSet::new(), list));
            }
            eprintln!("{set} {:.2} s", start.elapsed().as_secs_f64());
            rows.push((set.to_string(), sum));
        }
        print(&rows);
    }
    Ok(())
}

pub(crate) fn print(rows: &[(String, Tally)]) {
    println!("{:22}{:>7}{:>7}{:>7}{:>6}{:>7}{:>7}{:>6}", "set", "P", "R", "F1", "tp", "wrong", "unlab", "fn");
    let mut sum = Tally::default();
    let mut macro_f1 = 0.0;
    for (name, t) in rows {
        println!(
            "{name:22}{:7.3}{:7.3}{:7.3}{:6}{:7}{:7}{:6}",
            t.precision(),
            t.recall(),
            t.f1(),
            t.found,
            t.wrong,
            t.unlabelled,
            t.missed
        );
        macro_f1 += t.f1();
        sum.add(t);
    }
    println!(
        "micro P {:.3} R {:.3} F1 {:.3} · parent precision {:.3} · calibration error {:.3} · macro F1 {:.3} over {} sets",
        sum.precision(),
        sum.recall(),
        sum.f1(),
        share(sum.found, sum.found + sum.wrong),
        calibration_error(&sum.guesses),
        macro_f1 / share(rows.len().max(1), 1),
        rows.len()
    );
}

/// The expected calibration error over ten bins.
pub(crate) fn calibration_error(guesses: &[(f64, bool)]) -> f64 {
    let mut error = 0.0;
    for bin in 0..10_u32 {
        let (low, high) = (f64::from(bin) / 10.0, f64::from(bin + 1) / 10.0);
        let of: Vec<_> = guesses.iter().filter(|(c, _)| (low..high).contains(c) || (bin == 9 && *c >= 1.0)).collect();
        if of.is_empty() {
            continue;
        }
        let n = share(of.len(), 1);
        let mean = of.iter().map(|(c, _)| c).sum::<f64>() / n;
        let truth = share(of.iter().filter(|(_, t)| *t).count(), of.len());
        error += n / share(guesses.len(), 1) * (mean - truth).abs();
    }
    error
}
