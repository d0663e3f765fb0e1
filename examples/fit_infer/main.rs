//! Fits the weights of `src/infer/weights.toml`, and reports what inference reaches.
//!
//! ```text
//! fit_infer report    DIR            what the published weights reach on the databases of DIR
//! fit_infer fit       DIR... [--out weights.toml]   leave one set out, then fit on all
//! fit_infer half      DIR [--seed N] half of the declared keys known, the other half to be found
//! fit_infer obfuscate DIR OUT        copies of the databases with rows, their names made meaningless
//! fit_infer actions   DIR            agreement of the advised ON DELETE with the declared ones
//! ```
//! DIR holds, for each database, `NAME.db` (SQLite, keys declared, foreign keys not) and `NAME.gold.json`
//! (`{"set", "rows", "foreign_keys": [{"table", "columns", "ref_table", "ref_columns", "on_delete"?}]}`). `--no-data`
//! reads no rows; `--list SET` lists what is wrong in one set. Nothing depends on time or chance: the same directory gives
//! the same weights.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of the maintainers, not the product")]

mod experiments;
mod fit;
mod gold;
mod score;

use std::error::Error;
use std::path::PathBuf;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) struct Args {
    pub dirs: Vec<PathBuf>,
    pub out: Option<PathBuf>,
    pub seed: u64,
    pub data: bool,
    pub list: Option<String>,
    pub ridge: f64,
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let verb = words.next().unwrap_or_default();
    let mut args = Args { dirs: Vec::new(), out: None, seed: 1, data: true, list: None, ridge: 1.0 };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--out" => args.out = Some(value()?.into()),
            "--seed" => args.seed = value()?.parse()?,
            "--ridge" => args.ridge = value()?.parse()?,
            "--list" => args.list = Some(value()?),
            "--no-data" => args.data = false,
            _ => args.dirs.push(word.into()),
        }
    }
    match verb.as_str() {
        "report" => score::report(&args),
        "fit" => fit::run(&args),
        "half" => experiments::half(&args),
        "obfuscate" => experiments::obfuscate(&args),
        "actions" => experiments::actions(&args),
        _ => Err("one of: report, fit, half, obfuscate, actions; see the head of this program".into()),
    }
}
