//! What this server promises, one file per promise, each against the real program over real sockets on loopback.
//!
//! The promises count from 1 to 13. Those that are missing here are about what is said over a connection.
//!
//! Nothing sleeps: a test waits for bytes, for the end of a connection, for a line of the log, each for a bounded time.

mod browser;
mod server;

mod p01_loopback_unless_asked;
mod p02_nothing_without_the_token;
mod p03_no_page_of_another_origin;
mod p04_token_is_shown_nowhere;
mod p05_strangers_hold_little;
mod p12_exit_leaves_nothing;
mod p13_refusals_are_named_and_counted;
