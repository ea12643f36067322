//! `cargo xtask help`.

use std::process::ExitCode;

use crate::parts::PARTS;

pub(crate) fn help() -> ExitCode {
    println!("cargo xtask test [PART...] [--full]      run every part, or these, in order; `fuzz` in full");
    println!("cargo xtask bench [NAME] [--quick] [--json]   measure against the raw limit");
    println!("cargo xtask sim [--seeds N] [--seed SEED [--tell]]   play the simulation: many seeds, or one");
    println!("cargo xtask header                       write include/orchflow.h anew, from ffi/src");
    println!("cargo xtask abi                          take the C ABI as it is for the one to keep: ffi/abi, bindings/c/tests/layout.c");
    println!("cargo xtask help                         this list");
    println!();
    println!("The parts of `test`:");
    for part in PARTS {
        println!("  {:<11} {}", part.name, part.about);
    }
    ExitCode::SUCCESS
}
