//! Logistic regression, drawn to the prior weights; isotonic calibration on scores that the fit has not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use referee::infer::{Model, Survey};

use crate::experiments;
use crate::gold::{self, Database, Match};
use crate::score::{Tally, print, share, tally};
use crate::{Args, Result};

/// One candidate of one column.
struct Example {
    set: String,
    features: Vec<(usize, f64)>,
    truth: bool,
    weight: f64,
}

struct Task<'d> {
    database: &'d Database,
    /// `names`, `rows`, `meaningless names`, or that half of the keys are known, and by which seed.
    mode: &'static str,
    survey: Survey<'d>,
    /// The keys that are known.
    known: BTreeSet<Match>,
}

/// Half of the keys are known, drawn by these seeds; the first is fitted on too.
const HALVES: &[(u64, &str)] =
    &[(1, "half declared, seed 1"), (2, "half declared, seed 2"), (3, "half declared, seed 3")];

pub(crate) fn run(args: &Args) -> Result<()> {
    let loaded: Vec<Vec<Database>> = args.dirs.iter().map(|d| gold::load(d)).collect::<Result<_>>()?;
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for (i, all) in loaded.iter().enumerate() {
        for database in all {
            if i == 0 {
                let survey = database.survey(&[], false)?;
                tasks.push(Task { database, mode: "names", survey, known: BTreeSet::new() });
                for (seed, mode) in HALVES {
                    let (relations, known) = experiments::half_of(database, *seed);
                    let survey = database.survey(&relations, args.data)?;
                    tasks.push(Task { database, mode, survey, known });
                }
            }
            if database.rows && args.data {
                let mode = if i == 0 { "rows" } else { "meaningless names" };
                let survey = database.survey(&[], true)?;
                tasks.push(Task { database, mode, survey, known: BTreeSet::new() });
            }
        }
    }
    let names: Vec<String> = Model::published().prior.keys().cloned().collect();
    let fitted_on = |t: &&Task<'_>| HALVES[1..].iter().all(|(_, mode)| t.mode != *mode);
    let examples = examples(tasks.iter().filter(fitted_on), &names)?;
    let sets: BTreeSet<&str> = tasks.iter().map(|t| t.database.set.as_str()).collect();

    // Weights that have not seen the set, and the scores they give it.
    let mut models: BTreeMap<&str, Model> = BTreeMap::new();
    let mut unseen: Vec<(&str, f64, bool, f64, bool)> = Vec::new();
    for set in &sets {
        let model = fit(&examples, &names, Some(set), args.ridge);
        for task in tasks.iter().filter(fitted_on).filter(|t| t.database.set == *set) {
            let scores = scores(task, &model);
            let weight = 1.0 / share(scores.len().max(1), 1).sqrt();
            unseen.extend(scores.into_iter().map(|(s, truth, nameless)| (*set, s, truth, weight, nameless)));
        }
        models.insert(set, model);
    }
    for set in &sets {
        if let Some(model) = models.get_mut(set) {
            calibrate(model, unseen.iter().filter(|(s, ..)| s != set));
        }
    }
    let modes = ["names", "rows", "meaningless names", "best"].into_iter().chain(HALVES.iter().map(|(_, mode)| *mode));
    for mode in modes {
        let mut rows: BTreeMap<&str, Tally> = BTreeMap::new();
        for task in &tasks {
            let wanted = if mode == "best" {
                task.mode == "rows" || (task.mode == "names" && !(task.database.rows && args.data))
            } else {
                task.mode == mode
            };
            if wanted {
                let set = task.database.set.as_str();
                let list = args.list.as_deref() == Some(set) && mode != "best";
                let one = tally(&task.survey, &models[set], task.database, &task.known, list);
                rows.entry(set).or_default().add(&one);
            }
        }
        if !rows.is_empty() {
            println!("\n{mode}, weights of each set fitted and calibrated on the others");
            let rows: Vec<(String, Tally)> = rows.into_iter().map(|(s, t)| (s.to_string(), t)).collect();
            print(&rows);
        }
    }
    let mut model = fit(&examples, &names, None, args.ridge);
    calibrate(&mut model, unseen.iter());
    if let Some(out) = &args.out {
        let counts = (examples.len(), sets.len());
        fs::write(out, written(&model, counts, args.ridge)?)?;
    }
    Ok(())
}

fn calibrate<'a>(model: &mut Model, unseen: impl Iterator<Item = &'a (&'a str, f64, bool, f64, bool)>) {
    let (nameless, named): (Vec<_>, Vec<_>) = unseen.partition(|(.., nameless)| *nameless);
    let points = |of: Vec<&(&str, f64, bool, f64, bool)>| of.iter().map(|(_, s, t, w, _)| (*s, *t, *w)).collect();
    model.calibration = isotonic(points(named));
    model.calibration_nameless = isotonic(points(nameless));
}

fn examples<'t>(tasks: impl Iterator<Item = &'t Task<'t>>, names: &[String]) -> Result<Vec<Example>> {
    let mut all: Vec<Example> = Vec::new();
    for task in tasks {
        let mut of = Vec::new();
        for subject in &task.survey.subjects {
            for (i, candidate) in subject.candidates.iter().enumerate() {
                if task.database.is_doubtful(subject, i) {
                    continue;
                }
                let mut features: Vec<(usize, f64)> = Vec::new();
                // The usual case is what the others are measured from.
                for f in candidate.features.iter().filter(|f| f.name != "type.same") {
                    let at = names.binary_search_by(|n| n.as_str().cmp(f.name));
                    let at = at.map_err(|_| format!("weights.toml has no prior for `{}`", f.name))?;
                    features.push((at, f.value));
                }
                of.push((features, task.database.is_declared(subject, i)));
            }
        }
        for (features, truth) in of {
            all.push(Example { set: task.database.set.clone(), features, truth, weight: 1.0 });
        }
    }
    // A set counts by the square root of its size: neither every column alike, nor every set.
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for e in &all {
        *sizes.entry(e.set.clone()).or_default() += 1;
    }
    let mean = share(all.len(), sizes.len().max(1)).sqrt();
    for e in &mut all {
        e.weight = mean / share(sizes[&e.set], 1).sqrt();
    }
    Ok(all)
}

/// Newton's method on the penalised likelihood; the penalty is the squared distance from the prior.
#[allow(clippy::needless_range_loop)]
fn fit(examples: &[Example], names: &[String], without: Option<&str>, ridge: f64) -> Model {
    let n = names.len();
    let prior: Vec<f64> = names.iter().map(|f| Model::published().prior[f]).collect();
    let mut w = prior.clone();
    for _ in 0..25 {
        let mut gradient: Vec<f64> = (0..n).map(|i| -ridge * (w[i] - prior[i])).collect();
        let mut hessian = vec![vec![0.0; n]; n];
        for (i, row) in hessian.iter_mut().enumerate() {
            row[i] = ridge;
        }
        for e in examples.iter().filter(|e| without != Some(e.set.as_str())) {
            let score: f64 = e.features.iter().map(|(i, v)| w[*i] * v).sum();
            let p = 1.0 / (1.0 + (-score).exp());
            let error = e.weight * (f64::from(u8::from(e.truth)) - p);
            let slope = e.weight * (p * (1.0 - p)).max(1e-6);
            for (i, v) in &e.features {
                gradient[*i] += error * v;
                for (j, u) in &e.features {
                    hessian[*i][*j] += slope * v * u;
                }
            }
        }
        let step = solve(hessian, gradient);
        let longest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        let shorten = if longest > 2.0 { 2.0 / longest } else { 1.0 };
        for i in 0..n {
            w[i] += shorten * step[i];
        }
        if longest < 1e-9 {
            break;
        }
    }
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    Model {
        prior: Model::published().prior.clone(),
        weights: names.iter().cloned().zip(w.into_iter().map(round)).collect(),
        calibration: Vec::new(),
        calibration_nameless: Vec::new(),
    }
}

/// Gauss's elimination; the matrix is positive definite.
#[allow(clippy::needless_range_loop)]
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let pivot = a[i][i];
        for k in i + 1..n {
            let factor = a[k][i] / pivot;
            if factor != 0.0 {
                for j in i..n {
                    let x = a[i][j];
                    a[k][j] -= factor * x;
                }
                let x = b[i];
                b[k] -= factor * x;
            }
        }
    }
    for i in (0..n).rev() {
        for j in i + 1..n {
            let x = b[j];
            b[i] -= a[i][j] * x;
        }
        b[i] /= a[i][i];
    }
    b
}

/// Returns the score of the best candidate of each column, and whether it is right.
fn scores(task: &Task<'_>, model: &Model) -> Vec<(f64, bool, bool)> {
    let bare = Model { calibration: Vec::new(), calibration_nameless: Vec::new(), ..model.clone() };
    let mut all = Vec::new();
    for p in task.survey.decide(&bare, 0.0) {
        let score: f64 = p.evidence.iter().map(|(_, adds)| adds).sum();
        let it = gold::matched(&p.child.name, &p.columns, &p.parent.name, &p.parent_columns);
        let nameless = p.evidence.iter().any(|(f, _)| f.name == "name.none");
        all.push((score, task.database.want.contains(&it), nameless));
    }
    all
}

/// Pools adjacent violators, and keeps a few points of the curve.
fn isotonic(mut points: Vec<(f64, bool, f64)>) -> Vec<(f64, f64)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // Buckets of equal weight first, so that a point stands on many guesses.
    let total: f64 = points.iter().map(|p| p.2).sum();
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new(); // sum of score, of truth, of weight
    let mut block = (0.0, 0.0, 0.0);
    for (i, (score, truth, weight)) in points.iter().enumerate() {
        block.0 += score * weight;
        block.1 += f64::from(u8::from(*truth)) * weight;
        block.2 += weight;
        let next_same = points.get(i + 1).is_some_and(|n| (n.0 - score).abs() < 1e-9);
        if (block.2 >= total / 60.0 && !next_same) || i + 1 == points.len() {
            blocks.push(block);
            block = (0.0, 0.0, 0.0);
            while let [.., a, b] = blocks.as_slice()
                && a.1 / a.2 >= b.1 / b.2
            {
                let merged = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
                blocks.truncate(blocks.len() - 2);
                blocks.push(merged);
            }
        }
    }
    let round = |x: f64| (x * 1000.0).round() / 1000.0;
    // Where few guesses lie, the sum's own meaning in log-odds is half of what is believed.
    let few = total / 40.0;
    let mut last = 0.0_f64;
    let point = |(s, t, w): (f64, f64, f64)| {
        let own = 1.0 / (1.0 + (-s / w).exp());
        last = last.max(((t + few * own) / (w + few)).clamp(0.005, 0.995));
        (round(s / w), round(last))
    };
    blocks.into_iter().map(point).collect()
}

fn written(model: &Model, (examples, sets): (usize, usize), ridge: f64) -> Result<String> {
    let mut text = String::new();
    writeln!(
        text,
        "# What each piece of evidence weighs, in log-odds: a score is their sum, and `calibration` turns it into the\n\
         # share of such guesses that were right. Written by `cargo run --release --example fit_infer -- fit DIR...`:\n\
         # logistic regression on {examples} candidates of {sets} sets of databases with known keys (application schemas,\n\
         # textbook databases; five of them with rows, and these again with meaningless names; all of them again with half\n\
         # of their keys known), each set counting by the square root of its size, drawn to `prior` with a penalty of {ridge}\n\
         # on the squared distance. Candidates that nothing declares while the same columns are declared elsewhere in the\n\
         # database are left out. `calibration` is isotonic, on the scores that weights fitted without a set give that set.\n\
         # `prior` is set by hand. What no candidate has stays there (`hint.*`); so does, in a fit without a set, what no other\n\
         # set has (`rows.pooled`, `rows.lent`, `name.verb_of_agent`).\n"
    )?;
    for (title, curve) in [("calibration", &model.calibration), ("calibration_nameless", &model.calibration_nameless)] {
        writeln!(text, "{title} = [")?;
        for (x, y) in curve {
            writeln!(text, "    [{x:?}, {y:?}],")?;
        }
        writeln!(text, "]\n")?;
    }
    for (title, table) in [("prior", &model.prior), ("weights", &model.weights)] {
        writeln!(text, "[{title}]")?;
        for (name, weight) in table {
            writeln!(text, "\"{name}\" = {weight:?}")?;
        }
        writeln!(text)?;
    }
    Ok(text.trim_end().to_string() + "\n")
}
