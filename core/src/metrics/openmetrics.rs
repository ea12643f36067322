//! A snapshot as OpenMetrics 1.0 text, which Prometheus and everything that speaks to it can scrape.
//!
//! Serve it as [`CONTENT_TYPE`]. All series are present from the first scrape, at zero, so that a rate over a
//! counter that never moved is zero and not "no data".
//!
//! Durations are exported with the bounds of [`BOUNDS_NS`]. They fall inside buckets of our finer histogram, and a
//! bucket counts only from the first bound that its upper edge fits: a scrape may show a duration up to one eighth
//! slower than it was, never faster. Counts are exact, sums within one sixteenth.
//!
//! Deliberately absent: timestamps (the scraper's clock is the one to trust), exemplars, and `process_*` series, which
//! belong to the program that owns the process.

use std::fmt::Write as _;

use super::{ErrorKind, ExitKind, HistogramSnapshot, Hop, MetricsSnapshot, Operation, Urgency};

/// The media type of the text, for an HTTP `Content-Type`.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The exported bounds, in nanoseconds: 0.1 to 250 ms, 11 of them and infinity.
///
/// From a keystroke's echo in process, a fraction of a millisecond, over the 16.7 ms of a 60 Hz frame, to what
/// everybody notices. They bracket every target we have; 1, 5, 10, 25, 50 and 100 ms are the customary ones.
pub const BOUNDS_NS: [u64; 11] =
    [100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000];

/// What runs, exported as `terminal_build_info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildInfo<'a> {
    /// The release, `1.2.3`.
    pub version: &'a str,
    /// The commit, or empty.
    pub revision: &'a str,
}

impl BuildInfo<'static> {
    /// This library's version, without a revision.
    pub const CURRENT: BuildInfo<'static> = BuildInfo { version: env!("CARGO_PKG_VERSION"), revision: "" };
}

/// The text of `snapshot`, complete with its `# EOF`.
///
/// # Examples
/// ```
/// # use orchflow_core::metrics::Metrics;
/// # use orchflow_core::metrics::openmetrics::{self, BuildInfo};
/// let metrics = Metrics::new();
/// metrics.read(512);
/// let text = openmetrics::render(&metrics.snapshot(), &BuildInfo::CURRENT);
/// assert!(text.contains("\nterminal_output_bytes_total 512\n"));
/// assert!(text.ends_with("# EOF\n"));
/// ```
pub fn render(snapshot: &MetricsSnapshot, build: &BuildInfo<'_>) -> String {
    let mut text = Text(String::with_capacity(TEXT_BYTES));
    text.info("terminal_build", "What runs.", &[("version", build.version), ("revision", build.revision)]);

    let operations = Operation::ALL.iter().map(|&operation| (operation.label(), snapshot.operation(operation)));
    text.counters(
        "terminal_operations",
        "Operations that ended, well or not.",
        "operation",
        operations.clone().map(|(label, histogram)| (label, histogram.count())),
    );
    text.histograms(
        "terminal_operation_duration_seconds",
        "How long operations took.",
        operations.map(|(l, h)| (Some(("operation", l)), h)),
    );
    text.counters("terminal_errors", "Errors.", "kind", ErrorKind::ALL.iter().map(|&kind| (kind.label(), snapshot.errors(kind))));

    text.gauge("terminal_sessions_active", "Sessions there are.", snapshot.sessions_active);
    text.counter("terminal_sessions", "Sessions there ever were.", snapshot.sessions);
    text.counters(
        "terminal_exits",
        "Processes that ended.",
        "kind",
        ExitKind::ALL.iter().map(|&kind| (kind.label(), snapshot.exits(kind))),
    );
    text.counter("terminal_orphans", "Processes that left something behind which held the terminal open.", snapshot.orphans);

    text.counter("terminal_output_bytes", "Output read from terminals.", snapshot.output_bytes);
    text.counter("terminal_reads", "Reads that returned output.", snapshot.reads);
    text.counter("terminal_input_bytes", "Input accepted.", snapshot.input_bytes);
    text.counter("terminal_input_dropped_bytes", "Accepted input discarded before the terminal took it.", snapshot.input_dropped_bytes);
    text.histograms(
        "terminal_hop_seconds",
        "How long the legs of the way from a key to its echo took.",
        Hop::ALL.iter().map(|&hop| (Some(("hop", hop.label())), snapshot.hop(hop))),
    );
    text.histograms(
        "terminal_batch_wait_seconds",
        "How long operations of batches waited for their turn.",
        Urgency::ALL.iter().map(|&urgency| (Some(("class", urgency.label())), snapshot.waited(urgency))),
    );

    text.counter("terminal_pauses", "Times reading stopped for a slow reader.", snapshot.pauses);
    text.gauge("terminal_paused", "Sessions not read now, for a slow reader.", snapshot.paused);
    text.counter("terminal_gaps", "Gaps told to readers.", snapshot.gaps);
    text.counter("terminal_gap_bytes", "Output missing in those gaps.", snapshot.gap_bytes);
    text.counter("terminal_viewers_demoted", "Viewers that became lossy ones.", snapshot.viewers_demoted);
    text.gauge("terminal_pool_bytes", "Output buffers in use.", snapshot.pool_bytes);
    text.gauge("terminal_pool_limit_bytes", "Output buffers allowed.", snapshot.pool_limit_bytes);
    text.counter("terminal_dispatch_turns", "Rounds of dispatch.", snapshot.dispatch_turns);
    text.end()
}

/// Room for the whole text with large numbers in it, so that it is allocated once.
const TEXT_BYTES: usize = 16 << 10;

type Label<'a> = (&'static str, &'a str);

/// The text under construction. A family's name carries its unit, and never the `_total` that its samples do.
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        if let Some(unit) = ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(unit)) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
    }

    fn info(&mut self, name: &str, help: &str, labels: &[Label<'_>]) {
        self.family(name, "info", help);
        self.line(format_args!("{name}_info{} 1", braces(labels)));
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.line(format_args!("{name}_total {value}"));
    }

    fn counters(&mut self, name: &str, help: &str, label: &'static str, values: impl Iterator<Item = (&'static str, u64)>) {
        self.family(name, "counter", help);
        for (kind, value) in values {
            self.line(format_args!("{name}_total{} {value}", braces(&[(label, kind)])));
        }
    }

    fn histograms<'a>(
        &mut self,
        name: &str,
        help: &str,
        histograms: impl Iterator<Item = (Option<Label<'static>>, &'a HistogramSnapshot)>,
    ) {
        self.family(name, "histogram", help);
        for (label, histogram) in histograms {
            let labels: Vec<Label<'_>> = label.into_iter().collect();
            let count = histogram.count();
            for bound in BOUNDS_NS {
                self.bucket(name, &labels, bound_seconds(bound).as_str(), histogram.count_at_most(bound));
            }
            self.bucket(name, &labels, "+Inf", count);
            self.line(format_args!("{name}_count{} {count}", braces(&labels)));
            self.line(format_args!("{name}_sum{} {}", braces(&labels), seconds(histogram.sum_ns())));
        }
    }

    fn bucket(&mut self, name: &str, labels: &[Label<'_>], bound: &str, count: u64) {
        let labels = [labels, &[("le", bound)]].concat();
        self.line(format_args!("{name}_bucket{} {count}", braces(&labels)));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes any text");
    }

    fn end(mut self) -> String {
        self.0.push_str("# EOF\n");
        self.0
    }
}

/// Seconds with every nanosecond, as no float could say them.
fn seconds(ns: u64) -> String {
    format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// A bound in the shortest form, as the format asks of `le`.
fn bound_seconds(ns: u64) -> String {
    seconds(ns).trim_end_matches('0').to_owned()
}

/// `{name="value",...}`, or nothing without labels.
fn braces(labels: &[Label<'_>]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

/// A label's value may hold any text; three characters would end it or its line.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Metrics;

    /// A hub in the middle of its day: every series has its own number, so that two swapped ones show.
    fn busy_hub() -> Metrics {
        let metrics = Metrics::new();
        for (index, &operation) in Operation::ALL.iter().enumerate() {
            (0..=index).for_each(|_| metrics.operation(operation, Duration::from_micros(90 << (2 * index))));
        }
        for (index, &kind) in ErrorKind::ALL.iter().enumerate() {
            (0..=index).for_each(|_| metrics.error(kind));
        }
        for (index, &kind) in ExitKind::ALL.iter().enumerate() {
            (0..=index).for_each(|_| metrics.exit(kind));
        }
        (0..9).for_each(|_| metrics.session_opened());
        (0..6).for_each(|_| metrics.session_closed());
        (0..12).for_each(|_| metrics.read(4_095));
        (0..5).for_each(|_| metrics.paused());
        (0..3).for_each(|_| metrics.resumed());
        (0..13).for_each(|_| metrics.dispatch_turn());
        (0..4).for_each(|_| metrics.viewer_demoted());
        metrics.orphan();
        metrics.input(77);
        metrics.input_dropped(33);
        (0..7).for_each(|_| metrics.gap(1_001));
        metrics.pool(3 << 20);
        metrics.pool_limit(256 << 20);
        for (index, &hop) in Hop::ALL.iter().enumerate() {
            (0..index).for_each(|_| metrics.hop(hop, Duration::from_micros(310)));
            metrics.hop(hop, Duration::from_micros(999)); // Its bucket reaches past 1 ms, so it shows from 2.5 ms on.
            metrics.hop(hop, Duration::from_secs(2));
        }
        for (index, &urgency) in Urgency::ALL.iter().enumerate() {
            (0..=index).for_each(|_| metrics.waited(urgency, Duration::from_micros(30)));
        }
        metrics
    }

    #[test]
    fn the_text_is_the_golden_one_byte_for_byte() {
        let build = BuildInfo { version: "1.2.3", revision: "quoted \" back\\slash\nline" };
        assert_eq!(render(&busy_hub().snapshot(), &build), include_str!("../../testdata/metrics/openmetrics.txt"));
    }

    #[test]
    fn a_new_hub_shows_every_series_at_zero() {
        let names = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with('#')).map(|line| line[..line.rfind(' ').unwrap()].to_owned()).collect()
        };
        let quiet = render(&Metrics::new().snapshot(), &BuildInfo::CURRENT);
        let busy = render(&busy_hub().snapshot(), &BuildInfo::CURRENT);
        assert_eq!(names(&quiet), names(&busy));
    }

    #[test]
    fn buckets_never_shrink_from_one_bound_to_the_next() {
        let text = render(&busy_hub().snapshot(), &BuildInfo::CURRENT);
        let program: Vec<u64> = text
            .lines()
            .filter(|line| line.starts_with("terminal_hop_seconds_bucket{hop=\"program\""))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(program.len(), BOUNDS_NS.len() + 1);
        assert!(program.is_sorted());
        assert_eq!(program.last(), Some(&3));
    }

    #[test]
    fn a_bound_reads_as_people_write_it() {
        assert_eq!(bound_seconds(100_000), "0.0001");
        assert_eq!(bound_seconds(250_000_000), "0.25");
        assert_eq!(seconds(u64::MAX), "18446744073.709551615");
    }
}
