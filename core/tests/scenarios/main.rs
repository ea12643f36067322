//! What users live through, played under every driver and on both kinds of terminal.
//!
//! A scenario is a function that takes a [`Setting`](stage::Setting) and plays a scene on it. [`scenarios!`] makes a
//! test of it for each driver (nobody, a thread, tokio, smol) and each provider of terminals (the kernel's, those in
//! memory), named like `tail::every_byte_comes_before_the_exit::tokio::unix`.
//!
//! Time is a manual clock wherever a deadline matters. What remains is waited for as an event, and a wait that takes
//! [`PATIENCE`](stage::PATIENCE) fails with the words that say what was awaited.

/// A test of each named scenario per driver and provider: `both:`, or only one of `unix:` and `scripted:`.
macro_rules! scenarios {
    ($($place:ident: $($name:ident),+;)+) => { $($(scenarios!(@$place $name);)+)+ };
    (@$place:ident $name:ident) => {
        mod $name {
            scenarios!(@driver $place $name hosted Hosted);
            scenarios!(@driver $place $name threaded Threaded);
            scenarios!(@driver $place $name tokio Tokio);
            scenarios!(@driver $place $name smol Smol);
        }
    };
    (@driver both $name:ident $module:ident $driver:ident) => {
        mod $module {
            scenarios!(@test $name unix Unix $driver);
            scenarios!(@test $name scripted Scripted $driver);
        }
    };
    (@driver unix $name:ident $module:ident $driver:ident) => {
        mod $module { scenarios!(@test $name unix Unix $driver); }
    };
    (@driver scripted $name:ident $module:ident $driver:ident) => {
        mod $module { scenarios!(@test $name scripted Scripted $driver); }
    };
    (@test $name:ident $test:ident $provider:ident $driver:ident) => {
        #[test]
        fn $test() {
            use crate::stage::{Driver, Provider, run};
            run(Driver::$driver, Provider::$provider, super::super::$name);
        }
    };
}

mod act;
mod clock;
mod closing;
mod faces;
mod fairness;
mod input;
mod listener;
mod memory;
mod orphans;
mod readers;
mod scripts;
mod sizes;
mod stage;
mod tail;
mod turns;
mod wakers;
