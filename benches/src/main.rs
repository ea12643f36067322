//! One harness: the engine, the raw limit and the installed peers, side by side in one run.
//!
//! `cargo run --release -p orchflow-bench -- terminal` prints a table, `protocol` another: what it costs to be elsewhere, and `c` a third: what C has of it. See [`USAGE`] for the rest. Both sides of every
//! comparison live in this process, or in one process each where it is about the server. They are pinned alike and take turns in short
//! blocks; a ratio is between neighbouring blocks, and the reference is also held against itself, which tells how much of a ratio is noise.

mod alloc;
mod c;
mod child;
mod clock;
mod descriptors;
mod engine;
mod interleave;
mod memory;
mod others;
mod peers;
mod pin;
mod plan;
mod probe;
mod protocol;
mod raw;
mod report;
mod stats;
mod terminal;
mod terminals;
mod threads;
mod ws;

use std::io;
use std::process::ExitCode;

use plan::Plan;
use report::{Format, Report};

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

const USAGE: &str = "\
usage: orchflow-bench terminal [options]
       orchflow-bench protocol [options]
       orchflow-bench c [options]

  --quick           fewer and shorter blocks, the same lines
  --json            one JSON object per line
  --only PREFIX     only the groups that have a line whose name begins so
  --install-peers   fetch node-pty, ptyprocess and terminado into target/peers first";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        // A role ends when its terminal does, which its reads and writes tell as an error.
        Some((name, args)) if name == child::ROLE => return child::play(args).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Some((name, args)) if name == probe::PROBE => return told(probe::answer(args)),
        // A floor ends when its client leaves, which its reads tell as an error.
        Some((name, args)) if name == ws::floor::FLOOR => return ws::floor::play(args).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        _ => {}
    }
    let Some((run, plan)) = parse(&args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if plan.install_peers {
        peers::install();
    }
    let mut report = Report::new(plan.format);
    run(&plan, &mut report);
    if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the lines of one name.
type Run = fn(&Plan, &mut Report);

fn told(result: io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Option<(Run, Plan)> {
    let mut args = args.iter();
    let run: Run = match args.next()?.as_str() {
        "c" => c::run,
        "protocol" => protocol::run,
        "terminal" => terminal::run,
        _ => return None,
    };
    let mut plan = Plan { quick: false, only: None, install_peers: false, format: Format::Table };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => plan.quick = true,
            "--json" => plan.format = Format::Json,
            "--only" => plan.only = Some(args.next()?.clone()),
            "--install-peers" => plan.install_peers = true,
            _ => return None,
        }
    }
    Some((run, plan))
}
