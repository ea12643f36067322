//! `cargo xtask header`: the C header, made of the crate that exports what it declares.

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use cbindgen::{Builder, Config};

/// The header, from the root.
pub(crate) const HEADER: &str = "include/orchflow.h";

const CRATE: &str = "ffi";

pub(crate) fn header(root: &Path) -> ExitCode {
    let written = made(root).and_then(|header| fs::write(root.join(HEADER), header).map_err(|error| error.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {HEADER} could not be made: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The header as it should be.
pub(crate) fn made(root: &Path) -> Result<String, String> {
    let mut config = Config::from_file(root.join(CRATE).join("cbindgen.toml"))?;
    let version = version(root).map_err(|error| error.to_string())?;
    config.after_includes = Some(format!("{}{}", macros(&version), config.after_includes.unwrap_or_default()));
    let bindings = Builder::new().with_crate(root.join(CRATE)).with_config(config).generate().map_err(|error| error.to_string())?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    String::from_utf8(header).map_err(|error| error.to_string())
}

/// The workspace's version: every package has it.
fn version(root: &Path) -> io::Result<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let line = manifest.lines().find_map(|line| line.strip_prefix("version = \""));
    Ok(line.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned())
}

fn macros(version: &str) -> String {
    let mut numbers = version.split(['.', '-']);
    let mut define = |name, about| {
        let number = numbers.next().unwrap_or("0");
        format!("/** {about} */\n#define ORCH_VERSION_{name} {number}\n")
    };
    let numbers = [
        define("MAJOR", "The first number of this header's version."),
        define("MINOR", "The second. Until the first is 1, headers with another second number are of another library."),
        define("PATCH", "The third."),
    ];
    format!("\n/** This header's version; orch_version() tells the library's. */\n#define ORCH_VERSION \"{version}\"\n{}", numbers.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_macros() {
        let macros = macros("1.20.3-alpha");
        for define in ["ORCH_VERSION \"1.20.3-alpha\"\n", "ORCH_VERSION_MAJOR 1\n", "ORCH_VERSION_MINOR 20\n", "ORCH_VERSION_PATCH 3\n"] {
            assert!(macros.contains(define), "{define} is not in {macros}");
        }
    }
}
