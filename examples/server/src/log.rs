//! One line per event, to standard error, in `key=value` form.
//!
//! What a peer said stands in it escaped ([`Quoted`](crate::quote::Quoted)), and never a path, a query or a token. As a second belt the token is looked for in each line
//! before it leaves. A flood of events becomes [`LOG_LINES`] lines a second and one that says how many were left out.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::LOG_LINES;
use crate::token::Token;

/// Where events are told.
#[derive(Debug)]
pub(crate) struct Log {
    quiet: bool,
    token: Token,
    began: Instant,
    throttle: Mutex<Throttle>,
}

impl Log {
    pub(crate) fn new(quiet: bool, token: Token) -> Log {
        Log { quiet, token, began: Instant::now(), throttle: Mutex::default() }
    }

    /// Tells that `event` happened. Values are numbers, words of ours, or shown by `{:?}`.
    pub(crate) fn event(&self, event: &str, details: &[(&str, &dyn std::fmt::Debug)]) {
        if self.quiet {
            return;
        }
        let Ok(mut throttle) = self.throttle.lock() else { return };
        let Some(left_out) = throttle.line(self.began.elapsed()) else { return };
        drop(throttle);
        let mut lines = String::new();
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = format_args!("time={}.{:03}", time.as_secs(), time.subsec_millis()).to_string();
        if left_out > 0 {
            let _infallible = writeln!(lines, "{time} event=left_out lines={left_out}");
        }
        let _infallible = write!(lines, "{time} event={event}");
        for (name, value) in details {
            let _infallible = write!(lines, " {name}={value:?}");
        }
        lines.push('\n');
        // Nobody is left to tell that standard error is closed.
        let _ = io::stderr().lock().write_all(masked(lines, &self.token).as_bytes());
    }
}

fn masked(lines: String, token: &Token) -> String {
    let mask = |lines: String, secret: &str| if lines.contains(secret) { lines.replace(secret, "[token]") } else { lines };
    token.secrets().fold(lines, mask)
}

/// How many lines the current second has had.
#[derive(Debug, Default)]
struct Throttle {
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Throttle {
    /// Whether a line may leave `now`, and how many were left out before it.
    fn line(&mut self, now: Duration) -> Option<u64> {
        if now.as_secs() != self.second {
            (self.second, self.lines) = (now.as_secs(), 0);
        }
        if self.lines >= LOG_LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_becomes_a_trickle_that_says_what_is_missing() {
        let mut throttle = Throttle::default();
        let second = Duration::from_secs(1);
        let passed = (0..10_000).filter(|_| throttle.line(second).is_some()).count();
        assert_eq!(passed, LOG_LINES as usize);
        assert_eq!(throttle.line(2 * second), Some(10_000 - u64::from(LOG_LINES)));
        assert_eq!(throttle.line(2 * second), Some(0));
    }

    #[test]
    fn token_leaves_in_no_line_wherever_it_was_pasted() {
        let token = Token::random().unwrap();
        let line = format!("event=refused host=\"{}.example\"\n", token.text());
        assert_eq!(masked(line, &token), "event=refused host=\"[token].example\"\n");
    }
}
