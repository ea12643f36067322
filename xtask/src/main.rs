//! The project's own commands: `cargo xtask test` runs what CI runs, `cargo xtask bench` measures, `cargo xtask sim`
//! plays the simulation, `cargo xtask header` writes the C header, `cargo xtask abi` what it
//! promises to programs that are built.
//!
//! Deliberately absent: anything a person must set up first. A part that lacks its tool installs it or says
//! what to install.

mod bench;
mod guard;
mod header;
mod help;
mod parts;
mod protections;
mod run;
mod sim;
mod tally;
mod test;
mod tidy;
mod tools;
mod work;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["test", parts @ ..] => test::test(root(), parts),
        ["bench", flags @ ..] => bench::bench(root(), flags),
        ["header"] => header::header(root()),
        ["abi"] => parts::write_abi(root()),
        ["sim", args @ ..] => sim::sim(root(), args),
        [guard::COMMAND, command @ ..] => guard::guard(command),
        [] | ["help" | "--help" | "-h"] => help::help(),
        [other, ..] => {
            eprintln!("xtask: no command `{other}`; `cargo xtask help` lists them");
            ExitCode::from(2)
        }
    }
}

/// The repository: the folder that holds this package.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
