//! The table, for people or for programs.

use serde_json::{Value, json};

use crate::measure::median;
use crate::rows::Row;

/// What was measured of one row.
pub(crate) struct Measured {
    row: &'static str,
    unit: &'static str,
    more_is_better: bool,
    target: &'static str,
    pub(crate) own: Vec<f64>,
    pub(crate) peer: Vec<f64>,
    pub(crate) floor: Vec<f64>,
}

impl Measured {
    pub(crate) fn new(row: &Row) -> Self {
        Self {
            row: row.name,
            unit: row.unit,
            more_is_better: row.more_is_better,
            target: row.target,
            own: Vec::new(),
            peer: Vec::new(),
            floor: Vec::new(),
        }
    }

    /// How many times better the row is than the other, round by round.
    fn ratios(&self, other: &[f64]) -> Vec<f64> {
        let pairs = self.own.iter().zip(other);
        pairs
            .map(|(own, other)| if self.more_is_better { own / other } else { other / own })
            .collect()
    }

    /// How far the rounds are apart, as a share of their median: of the ratios where there are
    /// some.
    fn spread(&self) -> f64 {
        let ratios = self.ratios(&self.peer);
        let values = if ratios.is_empty() { &self.own } else { &ratios };
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (high - low) / median(values)
    }

    fn json(&self) -> Value {
        json!({
            "row": self.row,
            "unit": self.unit,
            "moreIsBetter": self.more_is_better,
            "target": self.target,
            "vimsim": self.own,
            "vcsim": self.peer,
            "floor": self.floor,
            "ratio": number(median(&self.ratios(&self.peer))),
            "ratioToFloor": number(median(&self.ratios(&self.floor))),
            "spread": number(self.spread()),
        })
    }

    fn line(&self) -> String {
        let value = |values: &[f64]| match values {
            [] => "-".to_owned(),
            _ => format!("{} {}", short(median(values)), self.unit),
        };
        let ratio = |other: &[f64]| match other {
            [] => "-".to_owned(),
            _ => format!("{}x", short(median(&self.ratios(other)))),
        };
        format!(
            "{:<58} {:>12} {:>12} {:>8} {:>7.0}% {:>10} {:>7}  {}",
            self.row,
            value(&self.own),
            value(&self.peer),
            ratio(&self.peer),
            self.spread() * 100.0,
            value(&self.floor),
            ratio(&self.floor),
            self.target,
        )
    }
}

/// JSON has no word for "not a number".
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { Value::Null }
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Prints the rows: each once it is there, or all of them as one JSON document at the end.
pub(crate) struct Report {
    json: Option<Vec<Value>>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        if !json {
            println!(
                "{:<58} {:>12} {:>12} {:>8} {:>8} {:>10} {:>7}  target",
                "", "vimsim", "vcsim", "ratio", "spread", "floor", "ratio"
            );
        }
        Self { json: json.then(Vec::new) }
    }

    pub(crate) fn add(&mut self, measured: &Measured) {
        match &mut self.json {
            Some(rows) => rows.push(measured.json()),
            None => println!("{}", measured.line()),
        }
    }

    pub(crate) fn end(self) {
        if let Some(rows) = self.json {
            println!("{:#}", Value::Array(rows));
        }
    }
}
