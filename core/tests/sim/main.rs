//! The deterministic simulation: clients, server, terminals and links in one process and on one virtual clock, all from one seed.
//!
//! A [`plan`] is drawn from the seed, played, and after every step the laws of ARCHITECTURE.md must hold; at the end nothing goes wrong any more, and then
//! everything must have arrived. A seed that breaks a law is shrunk to the few things that matter, and always plays the same.
//!
//! ```text
//! sim [--seeds N] [--first SEED] [--events N]     plays N seeds (20) of at most N events (2,000)
//! sim --seed SEED [--events N] [--tell]           (or seed=SEED) plays one twice; tells what happens in it, where it breaks a law
//! ```

mod act;
#[path = "../wire/cddl.rs"]
#[allow(dead_code, reason = "the page is held to the rules elsewhere")]
mod cddl;
#[path = "../peers/dice.rs"]
mod dice;
mod marks;
mod person;
mod plan;
mod run;
#[path = "../peers/server.rs"]
mod server;
#[path = "../peers/shapes.rs"]
mod shapes;
mod shrink;
mod sim;
mod truth;
mod typed;
mod wire;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use plan::Plan;
use run::{Broken, run};

/// Among so many seeds some have people who are far away, offer a codec, and are shown enough to pack.
const SEEDS_THAT_PACK: u64 = 20;

/// What was asked for.
struct Asked {
    seeds: u64,
    first: u64,
    events_max: usize,
    seed: Option<u64>,
    tells: bool,
}

fn main() -> ExitCode {
    let Some(asked) = asked() else {
        eprintln!("usage: sim [--seeds N] [--first SEED] [--seed SEED] [--events N] [--tell]");
        return ExitCode::from(2);
    };
    run::silence_panics();
    let failed = match asked.seed {
        Some(seed) => one(seed, &asked),
        None => many(&asked),
    };
    if failed {
        println!("\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        return ExitCode::FAILURE;
    }
    println!("\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
    ExitCode::SUCCESS
}

fn asked() -> Option<Asked> {
    let mut asked = Asked { seeds: 20, first: 0, events_max: 2_000, seed: None, tells: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next()?.replace('_', "").parse::<u64>().ok();
        match arg.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--first" => asked.first = number()?,
            "--seed" => asked.seed = Some(number()?),
            "--events" => asked.events_max = usize::try_from(number()?).ok()?,
            "--tell" => asked.tells = true,
            // As tests are named to other test programs.
            _ => asked.seed = Some(arg.strip_prefix("seed=")?.parse().ok()?),
        }
    }
    Some(asked)
}

/// Plays one seed twice: the two runs are the same. Answers whether a law was broken.
fn one(seed: u64, asked: &Asked) -> bool {
    let plan = Plan::new(seed, asked.events_max);
    println!("seed {seed}: {} things are to happen in {:?}", plan.actions.len(), plan.world);
    match (run(&plan, asked.events_max, false), run(&plan, asked.events_max, false)) {
        (Ok(first), Ok(second)) if first == second => {
            println!("seed {seed}: {} events, {} bytes shown, every law held", first.events, first.shown);
            false
        }
        (Err(broken), _) => tell(&plan, broken, asked),
        _ => {
            println!("seed {seed} does not play the same twice");
            true
        }
    }
}

/// Plays many, on as many threads as there are processors. Answers whether a law was broken.
fn many(asked: &Asked) -> bool {
    let begun = Instant::now();
    let (next, events, shown, packed) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicU64::new(0), AtomicUsize::new(0));
    let play = || -> Option<(Plan, Broken)> {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < asked.seeds) {
            let plan = Plan::new(asked.first + seed, asked.events_max);
            match run(&plan, asked.events_max, false) {
                Ok(outcome) => {
                    events.fetch_add(outcome.events, Ordering::Relaxed);
                    shown.fetch_add(outcome.shown, Ordering::Relaxed);
                    packed.fetch_add(outcome.packed, Ordering::Relaxed);
                }
                Err(broken) => {
                    next.store(asked.seeds, Ordering::Relaxed);
                    return Some((plan, broken));
                }
            }
        }
        None
    };
    let broken = thread::scope(|scope| {
        let threads: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| scope.spawn(play)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).min_by_key(|(plan, _)| plan.seed)
    });
    if let Some((plan, broken)) = broken {
        return tell(&plan, broken, asked);
    }
    let (events, shown, packed) = (events.into_inner(), shown.into_inner(), packed.into_inner());
    let took = begun.elapsed().as_secs_f64();
    println!("{} seeds, {events} events, {shown} bytes shown, {packed} frames packed, every law held; {took:.1} s", asked.seeds);
    if asked.seeds >= SEEDS_THAT_PACK && packed == 0 {
        println!("no output was ever packed: what is said of packed output was not tried");
        return true;
    }
    false
}

/// Tells of a broken law, as shortly as it can be told.
fn tell(plan: &Plan, broken: Broken, asked: &Asked) -> bool {
    println!("test seed {} ... FAILED\n{broken}", plan.seed);
    let (small, broken) = shrink::shrink(plan, broken, asked.events_max);
    println!("\n{} of {} things suffice, in {:?}:", small.actions.len(), plan.actions.len(), small.world);
    for (at, action) in small.actions.iter().enumerate() {
        println!("{at:>4}: {action:?}");
    }
    if asked.tells {
        let _told = run(&small, asked.events_max, true);
    }
    println!("{broken}\n\nagain: cargo xtask sim --seed {} [--tell]", plan.seed);
    true
}
