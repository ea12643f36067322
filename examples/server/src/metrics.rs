//! What this server counts about itself, beside what the hub counts.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use orchflow_core::hub::Hub;
use orchflow_core::hub::serve::ServiceCounts;
use orchflow_core::metrics::openmetrics::{self, BuildInfo};
use orchflow_core::protocol::message::ErrorCode;
use orchflow_core::resilience::BreakerState;

use crate::process::{self, Measure};
use crate::refusal::{Reason, Refusal};

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Http,
    WebSocket,
    Unix,
}

impl Carrier {
    const ALL: [(Carrier, &'static str); 3] = [(Carrier::Http, "http"), (Carrier::WebSocket, "websocket"), (Carrier::Unix, "unix")];

    pub(crate) fn label(self) -> &'static str {
        Carrier::ALL[self as usize].1
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    opened: [AtomicU64; Carrier::ALL.len()],
    closed: [AtomicU64; Carrier::ALL.len()],
    proved: AtomicU64,
    refused: [AtomicU64; Reason::ALL.len()],
    panics: AtomicU64,
}

impl Metrics {
    pub(crate) fn opened(&self, carrier: Carrier) {
        self.opened[carrier as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self, carrier: Carrier) {
        self.closed[carrier as usize].fetch_add(1, Relaxed);
    }

    /// A peer has proved who it is.
    pub(crate) fn proved(&self) {
        self.proved.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.refused[refusal.reason() as usize].fetch_add(1, Relaxed);
    }

    /// A connection's task ended by a bug of ours.
    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// The hub's numbers, the service's, these and the process's, as OpenMetrics text. `unproved` connections stand in the doors.
    pub(crate) fn render(&self, hub: &Hub, service: &ServiceCounts, unproved: usize) -> String {
        let build = BuildInfo { version: env!("CARGO_PKG_VERSION"), revision: "" };
        let mut text = openmetrics::render(&hub.metrics(), &build);
        text.truncate(text.trim_end_matches("# EOF\n").len());
        let load = |counter: &AtomicU64| counter.load(Relaxed);
        let mut family = |name: &str, kind: &str, help: &str, samples: &mut dyn Iterator<Item = (String, u64)>| {
            let _infallible = write!(text, "# TYPE {name} {kind}\n# HELP {name} {help}\n");
            let suffix = if kind == "counter" { "_total" } else { "" };
            for (labels, value) in samples {
                let _infallible = writeln!(text, "{name}{suffix}{labels} {value}");
            }
        };
        let carriers = || Carrier::ALL.into_iter().map(|(carrier, label)| (carrier as usize, format!("{{carrier=\"{label}\"}}")));
        let open = |at: usize| load(&self.opened[at]).saturating_sub(load(&self.closed[at]));
        family("terminal_active_connections", "gauge", "Connections there are.", &mut carriers().map(|(at, labels)| (labels, open(at))));
        family(
            "terminal_connections",
            "counter",
            "Connections that were let in; a WebSocket began as one of HTTP.",
            &mut carriers().map(|(at, labels)| (labels, load(&self.opened[at]))),
        );
        let one = |value: u64| [(String::new(), value)].into_iter();
        family("terminal_unproved_connections", "gauge", "Connections that have not proved who they are.", &mut one(unproved as u64));
        family("terminal_proved_connections", "counter", "Connections that proved who they are.", &mut one(load(&self.proved)));
        family(
            "terminal_refusals",
            "counter",
            "Connections, requests over HTTP and messages that were refused by the carrier's rules.",
            &mut Reason::ALL.into_iter().map(|(reason, label)| (format!("{{reason=\"{label}\"}}"), load(&self.refused[reason as usize]))),
        );
        // All of them from the first scrape on, at zero, as everything else is.
        let label = |code: ErrorCode| (format!("{{code=\"{code}\"}}"), service.refusals.get(&code).copied().unwrap_or_default());
        let help = "Connections, requests and input that were refused by the protocol's rules.";
        family("terminal_protocol_refusals", "counter", help, &mut ErrorCode::ALL.iter().copied().map(label));
        family(
            "terminal_sessions_watchable",
            "gauge",
            "Sessions that can be watched, ended ones included.",
            &mut one(service.sessions as u64),
        );
        let breaker = |state: BreakerState| (format!("{{state=\"{}\"}}", state.name()), u64::from(state == service.spawn_breaker));
        let help = "1 for the state of what keeps programs from being started while the system fails at that.";
        family("terminal_spawn_breaker", "gauge", help, &mut BreakerState::ALL.into_iter().map(breaker));
        family("terminal_connection_panics", "counter", "Connections ended by a bug of the server's.", &mut one(load(&self.panics)));
        for Measure { name, kind, help, value } in process::measures() {
            let Some(value) = value else { continue };
            let suffix = if kind == "counter" { "_total" } else { "" };
            let unit = ["bytes", "seconds"].into_iter().find(|unit| name.ends_with(unit));
            let unit = unit.map_or_else(String::new, |unit| format!("# UNIT {name} {unit}\n"));
            let _infallible = write!(text, "# TYPE {name} {kind}\n{unit}# HELP {name} {help}\n{name}{suffix} {value}\n");
        }
        text.push_str("# EOF\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_hubs_and_ours_with_one_end() {
        let metrics = Metrics::default();
        metrics.opened(Carrier::Http);
        metrics.closed(Carrier::Http);
        metrics.opened(Carrier::Unix);
        metrics.refused(&Refusal::TokenInUrl);
        let refusals = [(ErrorCode::Forbidden, 2)].into_iter().collect();
        let counts = ServiceCounts { refusals, ..ServiceCounts::default() };
        let text = metrics.render(&Hub::new().unwrap(), &counts, 3);
        for line in [
            "terminal_sessions_active 0",
            "terminal_active_connections{carrier=\"http\"} 0",
            "terminal_active_connections{carrier=\"unix\"} 1",
            "terminal_connections_total{carrier=\"http\"} 1",
            "terminal_unproved_connections 3",
            "terminal_refusals_total{reason=\"token_in_url\"} 1",
            "terminal_refusals_total{reason=\"crowded\"} 0",
            "terminal_protocol_refusals_total{code=\"forbidden\"} 2",
            "terminal_protocol_refusals_total{code=\"malformed\"} 0",
            "terminal_spawn_breaker{state=\"closed\"} 1",
            "terminal_spawn_breaker{state=\"half_open\"} 0",
            "# UNIT process_resident_memory_bytes bytes",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
        }
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn carriers_stand_where_they_are_counted() {
        for (at, (carrier, label)) in Carrier::ALL.into_iter().enumerate() {
            assert_eq!((carrier as usize, carrier.label()), (at, label));
        }
    }
}
