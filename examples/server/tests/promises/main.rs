//! What this server promises, one file per promise, each against the real program over real sockets on loopback.
//!
//! 1. Nothing but loopback listens unless asked.
//! 2. Without the token nothing happens.
//! 3. No page of another origin can use it.
//! 4. The token is shown nowhere.
//! 5. A stranger can hold little, and not for long.
//! 6. Nothing that comes from outside makes it panic, hang or grow.
//! 7. A viewer only watches.
//! 11. After any break every key and every byte is there once.
//! 12. Exit leaves nothing.
//! 13. Every refusal names what, the limit and what to do, and is counted.
//!
//! Nothing sleeps, but who is cut off for half a minute: a test waits for bytes, for the end of a connection, for a line of the log, each for a bounded time.

mod browser;
mod neighbour;
mod proxy;
mod server;
mod speaker;

mod p01_loopback_unless_asked;
mod p02_nothing_without_the_token;
mod p03_no_page_of_another_origin;
mod p04_token_is_shown_nowhere;
mod p05_strangers_hold_little;
mod p06_nothing_panics_hangs_or_grows;
mod p07_viewer_only_watches;
mod p11_after_any_break;
mod p12_exit_leaves_nothing;
mod p13_bad_frames_end_their_sender_alone;
mod p13_metrics_are_documented;
mod p13_refusals_are_named_and_counted;
