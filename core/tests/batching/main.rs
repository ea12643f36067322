//! The batcher and all around it over a link of some rate, delay and buffer, on a virtual clock: a server with its terminals, and a client.
//!
//! `docs/batching.svg` shows what comes of four loads, and is compared with what this program draws;
//! `ORCHFLOW_WRITE_FRAMES=1 cargo test --package orchflow-core --test batching` draws it anew.

#[path = "../wire/cddl.rs"]
#[allow(dead_code, reason = "the page is held to the rules elsewhere")]
mod cddl;
#[path = "../peers/dice.rs"]
#[allow(dead_code, reason = "no chance is taken here but which link it is")]
mod dice;
mod laws;
mod loads;
mod model;
mod picture;
#[path = "../peers/server.rs"]
#[allow(dead_code, reason = "links neither break nor end here")]
mod server;
#[path = "../peers/shapes.rs"]
mod shapes;
