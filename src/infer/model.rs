//! The model: what each piece of evidence weighs, and what a sum of weights means as a probability.
//!
//! A score is a sum, so every line of evidence can be shown with what it adds, and nothing else counts. The weights are in
//! `weights.toml`, beside what they were fitted on; nothing here knows of tables or names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// What is measured, as `weights.toml` names it.
    pub name: &'static str,
    /// How much of it there is: 1 for what is either there or not.
    pub value: f64,
    /// The evidence as a sentence; empty where another line says it already.
    pub says: String,
}

impl Feature {
    /// Makes a piece of evidence that is there, with its sentence.
    pub fn new(name: &'static str, says: impl Into<String>) -> Self {
        Self { name, value: 1.0, says: says.into() }
    }

    /// Makes a measured piece of evidence.
    pub fn measured(name: &'static str, value: f64, says: impl Into<String>) -> Self {
        Self { name, value, says: says.into() }
    }
}

/// Weights, and the curve that turns their sum into a probability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// What was believed before anything was fitted; fitting starts here and is drawn back to it.
    pub prior: BTreeMap<String, f64>,
    /// What each feature weighs, in log-odds.
    pub weights: BTreeMap<String, f64>,
    /// Points of a rising curve, from a sum of weights to the share of such guesses that were right.
    pub calibration: Vec<(f64, f64)>,
    /// The same for guesses that no name speaks for.
    #[serde(default)]
    pub calibration_nameless: Vec<(f64, f64)>,
}

const PUBLISHED: &str = include_str!("weights.toml");

impl Model {
    /// Returns the model that this version was published with.
    pub fn published() -> &'static Self {
        // A test holds the file to its form; a model without weights believes nothing.
        static MODEL: LazyLock<Model> = LazyLock::new(|| Model::parse(PUBLISHED).unwrap_or_default());
        &MODEL
    }

    /// Reads a file of weights.
    ///
    /// # Errors
    /// It is no TOML, or lacks a part.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Returns what a feature weighs.
    pub fn weight(&self, name: &str) -> f64 {
        self.weights.get(name).copied().unwrap_or(0.0)
    }

    /// Sums up evidence, in log-odds.
    pub fn score(&self, features: &[Feature]) -> f64 {
        features.iter().map(|f| self.weight(f.name) * f.value).sum()
    }

    /// Turns a sum into the probability that such a guess is right.
    pub fn probability(&self, score: f64, nameless: bool) -> f64 {
        let curve = if nameless { &self.calibration_nameless } else { &self.calibration };
        let (Some(first), Some(last)) = (curve.first(), curve.last()) else {
            return 1.0 / (1.0 + (-score).exp());
        };
        if score <= first.0 {
            // Below what was ever seen, less is believed, and never nothing.
            return first.1 * (score - first.0).exp().min(1.0);
        }
        for pair in curve.windows(2) {
            let [(x0, y0), (x1, y1)] = pair else { continue };
            if score <= *x1 {
                return (y0 + (y1 - y0) * (score - x0) / (x1 - x0).max(1e-9)).min(*y1);
            }
        }
        last.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_weights_can_be_read_and_rise() {
        let model = Model::parse(PUBLISHED).unwrap();
        assert!(!model.weights.is_empty());
        assert!(model.weights.values().all(|w| w.is_finite()));
        assert!(model.calibration.windows(2).all(|p| p[0].0 < p[1].0 && p[0].1 <= p[1].1), "the curve rises");
        assert!(model.calibration.iter().all(|(_, y)| (0.0..=1.0).contains(y)));
        assert_eq!(&model, Model::published());
    }

    #[test]
    fn probability_rises_with_the_score() {
        let model = Model { calibration: vec![(-2.0, 0.1), (0.0, 0.5), (3.0, 0.9)], ..Model::default() };
        let got: Vec<f64> =
            [-9.0, -2.0, -1.0, 0.0, 1.5, 3.0, 9.0].iter().map(|s| model.probability(*s, false)).collect();
        assert!(got.windows(2).all(|p| p[0] <= p[1]), "{got:?}");
        assert!((got[2] - 0.3).abs() < 1e-9 && (got[6] - 0.9).abs() < 1e-9, "{got:?}");
    }
}
