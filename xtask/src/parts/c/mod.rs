//! The C ABI as C sees it.

mod examples;
mod header;
mod tests;

use std::fs;
use std::path::PathBuf;

pub(super) use examples::c_examples;
pub(super) use header::header;
pub(super) use tests::c;

use crate::tools::cargo;
use crate::work::{Stop, Work};

/// What everybody compiles with.
const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

/// What the C++ wrapper is compiled with where nothing may throw.
const NO_EXCEPTIONS: &[&str] = &["-DORCH_NO_EXCEPTIONS", "-fno-exceptions", "-fno-rtti"];

/// What programs that were linked to the library look for.
const SONAME: &str = concat!("liborchflow.so.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

/// Which library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    /// As it is shipped.
    Shipped,
    /// With checks, and a call that panics.
    Panicking,
}

/// Builds the library, and gives it the name by which programs look for it; answers its folder.
fn library(work: &mut Work<'_>, which: Library) -> Result<PathBuf, Stop> {
    let (flags, profile): (&[&str], _) = match which {
        Library::Shipped => (&["--release"], "release"),
        Library::Panicking => (&["--features", "panics"], "debug"),
    };
    let mut build = cargo(&["build", "--quiet", "--package", "orchflow-ffi"]);
    build.args(flags);
    work.run(build)?;
    let folder = work.target_dir(profile);
    let soname = folder.join(SONAME);
    if !soname.exists()
        && let Err(error) = std::os::unix::fs::symlink("liborchflow.so", &soname)
    {
        return work.fail(format_args!("{}: {error}", soname.display()));
    }
    Ok(folder)
}

/// Where what is compiled lies.
fn folder(work: &mut Work<'_>) -> Result<PathBuf, Stop> {
    let folder = work.target_dir("c").join("programs");
    match fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => work.fail(format_args!("{}: {error}", folder.display())),
    }
}
