//! The table.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// One measure of all subjects.
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Its unit; empty for a count.
    pub unit: &'static str,
    /// Ours, the pass-through's, `script`'s.
    pub values: [f64; 3],
    /// What is to be reached.
    pub target: Target,
}

/// What is to be reached.
#[derive(Clone, Copy)]
pub enum Target {
    /// Ours is at most so many times the pass-through's.
    Ratio(f64),
    /// Ours is at most this.
    Most(f64),
    /// It is only told.
    None,
}

impl Row {
    /// Ours as a multiple of the pass-through's.
    pub fn ratio(&self, other: usize) -> f64 {
        self.values[0] / self.values[other]
    }

    /// Is the target met? `None` where there is none.
    pub fn met(&self) -> Option<bool> {
        match self.target {
            // As it is printed: two decimals.
            Target::Ratio(most) => Some((self.ratio(1) * 100.0).round() <= most * 100.0),
            Target::Most(most) => Some(self.values[0] <= most),
            Target::None => None,
        }
    }
}

/// A figure with three digits that count.
fn figure(value: f64) -> String {
    // The sum of nothing is -0.
    let value = value + 0.0;
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn ratio(value: f64) -> String {
    if value.is_finite() {
        format!("{value:.2}")
    } else {
        "–".into()
    }
}

/// As a Markdown table.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| measure | claude-retry | C pass-through | script | to C | to script | target | |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for row in rows {
        let [ours, passthru, script] = row.values.map(figure);
        let unit = if row.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", row.unit)
        };
        let target = match row.target {
            Target::Ratio(most) => format!("≤ {most} × C"),
            Target::Most(most) => format!("≤ {most}"),
            Target::None => String::new(),
        };
        let met = match row.met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {}{unit} | {ours} | {passthru} | {script} | {} | {} | {target} | {met} |",
            row.name,
            ratio(row.ratio(1)),
            ratio(row.ratio(2)),
        );
    }
    text
}

/// As one JSON object a line, in an array.
pub fn json(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| {
        let (kind, target) = match row.target {
            Target::Ratio(most) => ("ratio", Value::from(most)),
            Target::Most(most) => ("most", Value::from(most)),
            Target::None => ("none", Value::Null),
        };
        json!({
            "measure": row.name,
            "unit": row.unit,
            "claude_retry": row.values[0],
            "passthru": row.values[1],
            "script": row.values[2],
            "ratio": row.ratio(1),
            "target": target,
            "target_kind": kind,
            "met": row.met(),
        })
        .to_string()
    });
    format!("[\n{}\n]", rows.collect::<Vec<_>>().join(",\n"))
}
