//! The same lines for people.

use super::{Better, Figures, Reach, Spec};

/// The row above the first line.
pub(super) fn heading() -> String {
    row(["", "ours", "reference", "ratio", "spread", "A/A", "reach", ""], "reference and conditions")
}

/// One line.
pub(super) fn line(spec: &Spec, outcome: Result<&Figures, &str>) -> String {
    let figures = match outcome {
        Ok(figures) => figures,
        Err(reason) => return format!("{:<28}  FAILED: {reason}", spec.name),
    };
    let spread = figures.spread.map_or(String::new(), |(low, high)| format!("{low:.2}-{high:.2}"));
    let aa = figures.aa.map_or(String::new(), |aa| format!("{aa:.3}"));
    let verdict = match spec.is_met(figures) {
        Some(true) => "ok",
        Some(false) => "MISSED",
        None => "",
    };
    let ours = format!("{} {}", short(figures.ours), spec.unit);
    // Nothing can be divided by a limit of zero.
    let ratio = if figures.ratio.is_finite() { format!("{:.3}", figures.ratio) } else { String::new() };
    row([spec.name, &ours, &short(figures.reference), &ratio, &spread, &aa, &target(spec), verdict], spec.note)
}

fn row(cells: [&str; 8], note: &str) -> String {
    let [name, ours, reference, ratio, spread, aa, reach, verdict] = cells;
    let line = format!("{name:<28} {ours:>15} {reference:>10} {ratio:>7} {spread:>11} {aa:>6} {reach:>9} {verdict:<6}  {note}");
    line.trim_end().to_owned()
}

fn target(spec: &Spec) -> String {
    let sign = if spec.better == Better::Lower { "<=" } else { ">=" };
    match spec.reach {
        Reach::Ratio(target) => format!("{sign}{target}x"),
        Reach::Ours(target) => format!("{sign}{target}"),
        Reach::Nothing => String::new(),
    }
}

/// Three significant digits or a whole number: more would be noise.
fn short(value: f64) -> String {
    match value.abs() {
        big if big >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
