//! What a run says: one line per figure, ours beside its reference, and whether the target was reached.
//!
//! Every line is announced before it is measured ([`Spec`]); one that then has no figure is printed as a failure
//! with its reason. Nothing is left out silently.

mod json;
mod table;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::others::Others;
use crate::plan::Plan;
use crate::stats::{Ratios, median};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// A target, and the figure it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reach {
    /// Ours divided by the reference.
    Ratio(f64),
    /// Ours, in the line's unit.
    Ours(f64),
    /// None: the line is for information.
    Nothing,
}

/// A line, before it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) reach: Reach,
    /// What the reference is, and what else must be known to read the figure.
    pub(crate) note: &'static str,
}

/// Lines that are measured together.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub(crate) specs: &'static [Spec],
    pub(crate) measure: fn(&Plan, &mut Sheet<'_>) -> io::Result<()>,
}

/// A line's measured part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) ours: f64,
    pub(crate) reference: f64,
    pub(crate) ratio: f64,
    /// 10th to 90th percentile of the single ratios.
    pub(crate) spread: Option<(f64, f64)>,
    /// The reference against itself, measured the same way: how much of the ratio is noise.
    pub(crate) aa: Option<f64>,
}

impl Figures {
    /// From blocks that ran side by side: ours, the reference, and the reference once more.
    pub(crate) fn of_blocks(ours: &[f64], reference: &[f64], again: &[f64]) -> Figures {
        Figures { aa: Some(Ratios::of(again, reference).median), ..Figures::of_pairs(ours, reference) }
    }

    /// From blocks that ran side by side, ours and theirs.
    pub(crate) fn of_pairs(ours: &[f64], theirs: &[f64]) -> Figures {
        let ratios = Ratios::of(ours, theirs);
        Figures { ours: median(ours), reference: median(theirs), ratio: ratios.median, spread: Some(ratios.spread), aa: None }
    }

    /// From one figure and a stated limit.
    pub(crate) fn against(ours: f64, limit: f64) -> Figures {
        Figures { ours, reference: limit, ratio: ours / limit, spread: None, aa: None }
    }
}

impl Spec {
    /// Whether the figures reach the target; `None` where there is no target.
    fn is_met(&self, figures: &Figures) -> Option<bool> {
        let (figure, target) = match self.reach {
            Reach::Ratio(target) => (figures.ratio, target),
            Reach::Ours(target) => (figures.ours, target),
            Reach::Nothing => return None,
        };
        Some(match self.better {
            Better::Lower => figure <= target,
            Better::Higher => figure >= target,
        })
    }
}

/// How lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
}

/// Prints lines as they come and remembers whether all of them could be measured.
pub(crate) struct Report {
    format: Format,
    failures: usize,
}

impl Report {
    /// Begins a report on standard output.
    pub(crate) fn new(format: Format) -> Report {
        if format == Format::Table {
            println!("{}", table::heading());
        }
        Report { format, failures: 0 }
    }

    /// Measures one group of lines. Each of `specs` is printed exactly once, as a figure or as a failure.
    pub(crate) fn group(&mut self, specs: &[Spec], measure: impl FnOnce(&mut Sheet<'_>) -> io::Result<()>) {
        let others = Others::watch();
        let mut sheet = Sheet { report: self, open: specs.to_vec() };
        let result = catch_unwind(AssertUnwindSafe(|| measure(&mut sheet)));
        let reason = match result {
            Ok(Ok(())) => "the measurement gave no such figure".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the measurement panicked".to_owned(),
        };
        for spec in sheet.open {
            self.failures += 1;
            self.print(&spec, Err(&reason));
        }
        if let Ok((others, percent)) = others.and_then(|others| others.percent().map(|percent| (others, percent))) {
            eprintln!("    {:.0} s, in which other programs used {percent:.0} % of a CPU", others.elapsed().as_secs_f64());
        }
    }

    /// How many lines had no figure.
    pub(crate) fn failures(&self) -> usize {
        self.failures
    }

    fn print(&self, spec: &Spec, outcome: Result<&Figures, &str>) {
        let line = match self.format {
            Format::Table => table::line(spec, outcome),
            Format::Json => json::line(spec, outcome),
        };
        println!("{line}");
    }
}

/// The lines of one group that are yet to be measured.
pub(crate) struct Sheet<'a> {
    report: &'a mut Report,
    open: Vec<Spec>,
}

impl Sheet<'_> {
    /// Prints the line called `name`.
    ///
    /// # Panics
    /// If there is no such line, or it was printed already.
    pub(crate) fn put(&mut self, name: &str, figures: Figures) {
        let at = self.open.iter().position(|spec| spec.name == name).unwrap_or_else(|| panic!("no open line is called {name}"));
        let spec = self.open.remove(at);
        self.report.print(&spec, Ok(&figures));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const SPEC: Spec =
        Spec { name: "echo.p50", unit: "us", better: Better::Lower, reach: Reach::Ratio(1.15), note: "raw \"loop\"" };

    #[test]
    fn a_target_is_held_against_the_figure_it_names() {
        let figures = Figures::against(12.0, 10.0);
        assert_eq!(SPEC.is_met(&figures), Some(false));
        assert_eq!(Spec { reach: Reach::Ours(12.0), ..SPEC }.is_met(&figures), Some(true));
        assert_eq!(Spec { better: Better::Higher, ..SPEC }.is_met(&figures), Some(true));
        assert_eq!(Spec { reach: Reach::Nothing, ..SPEC }.is_met(&figures), None);
    }

    #[test]
    fn the_reference_against_itself_is_kept_apart_from_the_ratio() {
        let figures = Figures::of_blocks(&[3.0, 3.0], &[2.0, 2.0], &[2.0, 2.0]);
        assert_eq!(figures, Figures { ours: 3.0, reference: 2.0, ratio: 1.5, spread: Some((1.5, 1.5)), aa: Some(1.0) });
    }

    #[test]
    fn a_line_without_a_figure_counts_as_a_failure() {
        let mut report = Report { format: Format::Json, failures: 0 };
        report.group(&[SPEC], |_| Err(io::Error::other("no PTY left")));
        report.group(&[SPEC], |_| panic!("a bug"));
        report.group(&[SPEC], |sheet| {
            sheet.put("echo.p50", Figures::against(1.0, 1.0));
            Ok(())
        });
        assert_eq!(report.failures(), 2);
    }
}
