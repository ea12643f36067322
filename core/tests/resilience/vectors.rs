//! Schedules, seeds and events with times, and what follows from them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use orchflow_core::resilience::{Backoff, Breaker, BreakerOptions, BudgetOptions, Force, Outcome, Refused, RetryBudget, Schedule, Ticket};
use orchflow_core::time::Time;
use serde_json::{Value, json};

fn compare(name: &str, about: &str, cases: Vec<Value>) {
    let place: PathBuf = [env!("CARGO_MANIFEST_DIR"), "testdata/resilience", name].iter().collect();
    let cases: Vec<String> = cases.into_iter().map(lines).collect();
    let text = format!("{{\n\"about\": {},\n\"cases\": [\n{}\n]\n}}\n", json!(about), cases.join(",\n"));
    if std::env::var_os("ORCHFLOW_WRITE_FRAMES").is_some() {
        return fs::write(&place, text).unwrap();
    }
    let golden = fs::read_to_string(&place).unwrap_or_else(|error| panic!("{place:?}: {error}"));
    let first = golden.lines().zip(text.lines()).position(|(golden, ours)| golden != ours);
    assert!(golden == text, "{place:?}:{} differs from what is made now", first.unwrap_or_default() + 1);
}

/// One case, with a line for each event: a difference is seen.
fn lines(mut case: Value) -> String {
    let events: Vec<String> = case["events"].take().as_array().unwrap().iter().map(Value::to_string).collect();
    case.as_object_mut().unwrap().remove("events");
    let head = case.to_string();
    let head = head.strip_suffix('}').unwrap();
    format!("{head},\"events\":[\n  {}\n]}}", events.join(",\n  "))
}

/// Numbers that look random, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

// ---- Backoff ----

enum Turn {
    Up,
    Down { at_least_ms: u64 },
    Reset,
    Max { max_ms: u64 },
}

fn backoff(name: &str, schedule: Schedule, seed: u64, turns: impl IntoIterator<Item = (u64, Turn)>) -> Value {
    let mut backoff = Backoff::new(schedule, seed);
    let events: Vec<Value> = turns
        .into_iter()
        .map(|(at_ms, turn)| {
            let now = Time::from_millis(at_ms);
            match turn {
                Turn::Up => {
                    backoff.handle_up(now);
                    json!({ "at_ms": at_ms, "do": "up" })
                }
                Turn::Down { at_least_ms } => {
                    let wait = backoff.handle_down(now, Duration::from_millis(at_least_ms)) - now;
                    json!({ "at_ms": at_ms, "do": "down", "at_least_ms": at_least_ms, "wait_ns": u64::try_from(wait.as_nanos()).unwrap() })
                }
                Turn::Reset => {
                    backoff.reset();
                    json!({ "at_ms": at_ms, "do": "reset" })
                }
                Turn::Max { max_ms } => {
                    backoff.set_max(Duration::from_millis(max_ms));
                    json!({ "at_ms": at_ms, "do": "max", "max_ms": max_ms })
                }
            }
        })
        .collect();
    let Schedule { first, max, stable } = schedule;
    let schedule = json!({ "first_ms": millis(first), "max_ms": millis(max), "stable_ms": millis(stable) });
    json!({ "name": name, "schedule": schedule, "seed": seed.to_string(), "events": events })
}

fn down(at_ms: u64) -> (u64, Turn) {
    (at_ms, Turn::Down { at_least_ms: 0 })
}

#[test]
fn waits_are_what_the_file_says() {
    let usual = Schedule::default();
    let short = Schedule { first: Duration::from_millis(50), max: Duration::from_secs(2), stable: Duration::ZERO };
    let cases = vec![
        backoff("a server that does not come back", usual, 1, (0..20).map(|turn| down(turn * 20_000))),
        backoff("the largest seed", usual, u64::MAX, (0..20).map(down)),
        backoff("another schedule, to a year of failures", short, 42, (0..80).map(down)),
        backoff("a server that asks for time", usual, 7, (0..6).map(|turn| (turn, Turn::Down { at_least_ms: turn * 1_000 }))),
        backoff(
            "short waits only after five stable seconds",
            usual,
            3,
            (0..6).map(down).chain([(10_000, Turn::Up), down(14_999), (20_000, Turn::Up), down(25_000), down(25_000)]),
        ),
        backoff("short waits once the network is back", usual, 4, (0..9).map(down).chain([(9, Turn::Reset), down(9), down(10)])),
        backoff(
            "a page that is hidden, and looked at again",
            usual,
            5,
            (0..9)
                .map(down)
                .chain([(9, Turn::Max { max_ms: 30_000 })])
                .chain((10..16).map(down))
                .chain([(16, Turn::Max { max_ms: 10_000 })])
                .chain((17..20).map(down)),
        ),
    ];
    compare("backoff.json", "When to try again, drawn from a seed: what Backoff answers to these events, one after the other.", cases);
}

// ---- Budget ----

fn budget(name: &str, options: BudgetOptions, turns: impl IntoIterator<Item = (u64, Option<u32>)>) -> Value {
    let mut budget = RetryBudget::new(options);
    let events: Vec<Value> = turns
        .into_iter()
        .map(|(at_ms, tries)| match tries {
            None => {
                budget.handle_first_try();
                json!({ "at_ms": at_ms, "do": "first", "left": budget.left() })
            }
            Some(tries) => {
                let may = budget.take(tries, Time::from_millis(at_ms));
                json!({ "at_ms": at_ms, "do": "take", "tries": tries, "may": may, "left": budget.left() })
            }
        })
        .collect();
    let BudgetOptions { tries_max, percent, start, kept_max, reserve_every } = options;
    let options = json!({
        "tries_max": tries_max, "percent": percent, "start": start, "kept_max": kept_max, "reserve_every_ms": millis(reserve_every),
    });
    json!({ "name": name, "options": options, "events": events })
}

#[test]
fn retries_are_what_the_file_says() {
    let usual = BudgetOptions::default();
    let small = BudgetOptions { start: 1, kept_max: 3, percent: 30, ..usual };
    let mut numbers = Numbers(11);
    let mut at = 0;
    let mixed: Vec<_> = (0..200)
        .map(|_| {
            at += numbers.below(4_000);
            (at, (numbers.below(3) > 0).then(|| 1 + numbers.below(3) as u32))
        })
        .collect();
    let cases = vec![
        budget("a lone refusal, three tries of it", usual, [(0, None), (0, Some(1)), (100, Some(2)), (200, Some(3))]),
        budget("everything is refused", usual, (0..60).flat_map(|turn| [(turn, None), (turn, Some(1))])),
        budget("a reserve for who asks for little", small, [0, 1, 9_999, 10_000, 10_001, 25_000, 95_000, 95_001].map(|at| (at, Some(1)))),
        budget("a clock that steps back", small, [(5_000, Some(1)), (0, Some(1)), (14_999, Some(1)), (15_000, Some(1))]),
        budget("many of both", small, mixed),
    ];
    compare("budget.json", "Whether to ask again: what RetryBudget answers to these events, one after the other.", cases);
}

// ---- Breaker ----

enum Step {
    Pass,
    /// The outcome of what passed, counted from 0.
    End(usize, Outcome),
    Force(Option<Force>),
}

fn breaker(name: &str, options: BreakerOptions, steps: impl IntoIterator<Item = (u64, Step)>) -> Value {
    let mut breaker = Breaker::new(options);
    let mut tickets: Vec<Option<Ticket>> = Vec::new();
    let mut events = Vec::new();
    for (at_ms, step) in steps {
        let now = Time::from_millis(at_ms);
        let mut event = match step {
            Step::Pass => match breaker.pass(now) {
                Ok(ticket) => {
                    tickets.push(Some(ticket));
                    json!({ "do": "pass", "ticket": tickets.len() - 1 })
                }
                Err(Refused { since, until }) => {
                    json!({ "do": "pass", "since_ms": since.as_nanos() / 1_000_000, "until_ms": until.map(|until| until.as_nanos() / 1_000_000) })
                }
            },
            Step::End(ticket, outcome) => {
                let Some(held) = tickets.get_mut(ticket).and_then(Option::take) else { continue };
                breaker.handle(held, outcome, now);
                let outcome = match outcome {
                    Outcome::Success => "success",
                    Outcome::Failure => "failure",
                    Outcome::Neither => "neither",
                };
                json!({ "do": "end", "ticket": ticket, "outcome": outcome })
            }
            Step::Force(force) => {
                breaker.force(force, now);
                json!({ "do": "force", "force": force.map(|force| if force == Force::Open { "open" } else { "closed" }) })
            }
        };
        event["at_ms"] = json!(at_ms);
        event["state"] = json!(breaker.state(now).name());
        events.push(event);
    }
    let BreakerOptions { calls, window, calls_min, failures_percent, open_first, open_max, probes } = options;
    let options = json!({
        "calls": calls, "window_ms": millis(window), "calls_min": calls_min, "failures_percent": failures_percent,
        "open_first_ms": millis(open_first), "open_max_ms": millis(open_max), "probes": probes,
    });
    json!({ "name": name, "options": options, "events": events })
}

fn tries(first: usize, at: impl IntoIterator<Item = (u64, Outcome)>) -> Vec<(u64, Step)> {
    at.into_iter().enumerate().flat_map(|(index, (at, outcome))| [(at, Step::Pass), (at, Step::End(first + index, outcome))]).collect()
}

#[test]
fn breakers_do_what_the_file_says() {
    use Outcome::{Failure, Neither, Success};
    let usual = BreakerOptions::default();
    let three = BreakerOptions { probes: 3, calls: 4, calls_min: 2, ..usual };
    let fails = |count: u64| tries(0, (0..count).map(|at| (at, Failure)));
    let mut numbers = Numbers(5);
    let (mut at, mut passes) = (0, 0);
    let mixed: Vec<_> = (0..400)
        .map(|_| {
            at += numbers.below(700);
            let outcome = [Success, Failure, Failure, Neither][numbers.below(4) as usize];
            match numbers.below(40) {
                0 => (at, Step::Force([None, Some(Force::Open), Some(Force::Closed)][numbers.below(3) as usize])),
                1..=20 => {
                    passes += 1;
                    (at, Step::Pass)
                }
                _ => (at, Step::End(numbers.below(passes + 1) as usize, outcome)),
            }
        })
        .collect();
    let later = [(1_004, Step::Pass), (1_004, Step::Pass), (1_005, Step::End(5, Failure)), (2_000, Step::Pass), (3_005, Step::Pass)];
    let cases = vec![
        breaker("opens, tries one, and opens for longer", usual, fails(5).into_iter().chain([(10, Step::Pass)]).chain(later)),
        breaker("closes after one that succeeds", usual, fails(5).into_iter().chain(tries(5, [(1_004, Success), (1_004, Success)]))),
        breaker(
            "as many successes as failures, and one fewer",
            usual,
            tries(0, [Success, Success, Success, Failure, Failure, Failure].map(|o| (0, o))),
        ),
        breaker(
            "failures of long ago",
            usual,
            tries(0, [(0, Failure), (0, Failure), (1, Failure), (30_001, Failure), (30_001, Failure), (30_002, Failure)]),
        ),
        breaker(
            "three probes",
            three,
            tries(0, [(0, Failure), (0, Failure), (1_000, Success), (1_000, Neither), (1_000, Success), (1_000, Success)]),
        ),
        breaker(
            "no more than three at once, and one failure is enough",
            three,
            tries(0, [(0, Failure), (0, Failure)]).into_iter().chain([
                (999, Step::Pass),
                (1_000, Step::Pass),
                (1_000, Step::Pass),
                (1_000, Step::Pass),
                (1_000, Step::Pass),
                (1_001, Step::End(2, Success)),
                (1_001, Step::Pass),
                (1_002, Step::End(3, Failure)),
                (1_003, Step::End(4, Success)),
                (3_001, Step::Pass),
                (3_002, Step::Pass),
            ]),
        ),
        breaker(
            "what somebody wants holds",
            usual,
            [(0, Step::Force(Some(Force::Open))), (90_000, Step::Pass), (90_000, Step::Force(Some(Force::Closed)))]
                .into_iter()
                .chain(tries(0, (0..9).map(|at| (90_000 + at, Failure))))
                .chain([(90_010, Step::Force(None)), (90_010, Step::Pass)]),
        ),
        breaker("many of all", three, mixed),
    ];
    compare("breaker.json", "What passes: what Breaker answers to these events, one after the other, and where it stands then.", cases);
}
