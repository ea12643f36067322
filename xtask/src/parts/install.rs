//! The install for C and C++: to an empty prefix, which is moved, and used from there as programs would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::tools::{apt, tool};
use crate::work::{Outcome, Stop, Work};

/// How to install, and who uses it.
const RECIPE: &str = "bindings/c";
const CONSUMERS: &str = "bindings/c/consumers";

/// Programs, and the Debian packages that have them.
const TOOLS: [(&str, &str); 6] = [
    ("cmake", "cmake"),
    ("meson", "meson"),
    ("ninja", "ninja-build"),
    ("pkg-config", "pkg-config"),
    ("readelf", "binutils"),
    ("c++", "g++"),
];

/// One that has not ended by then hangs.
const RUN_MAX: Duration = Duration::from_secs(20);

const SONAME: &str = concat!("liborchflow.so.", env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
const FILE: &str = concat!("liborchflow.so.", env!("CARGO_PKG_VERSION"));

pub(super) fn install(work: &mut Work<'_>) -> Outcome {
    tools(work)?;
    let folder = emptied(work)?;
    let prefix = installed(work, &folder)?;
    versions(work, &prefix.join("lib"))?;
    symbols(work, &prefix.join("lib").join(FILE))?;
    needs_of_the_static_library(work, &prefix)?;
    let mut programs = by_pkg_config(work, &folder, &prefix)?;
    programs.extend(by_cmake(work, &folder, &prefix)?);
    programs.push(by_meson(work, &folder, &prefix)?);
    for program in &programs {
        says_hello(work, program, &prefix)?;
    }
    work.note = format!("{} consumers of a prefix that was moved", programs.len());
    Ok(())
}

/// Names all that is missing at once, where it may not be installed.
fn tools(work: &mut Work<'_>) -> Outcome {
    let mut missing = Vec::new();
    for (program, package) in TOOLS {
        match apt(work, program, package, "--version") {
            Err(Stop::Skipped(_)) => missing.push(package),
            other => other?,
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Stop::Skipped(format!("tools are not installed: apt-get install {}", missing.join(" ")))) }
}

/// A program, and whether it shall need the shared library.
struct Consumer {
    path: PathBuf,
    is_shared: bool,
}

/// A folder without a trace of what was there before: a consumer must not find the library of another run.
fn emptied(work: &mut Work<'_>) -> Result<PathBuf, Stop> {
    let folder = work.target_dir("install");
    let _ = fs::remove_dir_all(&folder);
    match fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => work.fail(format_args!("{}: {error}", folder.display())),
    }
}

/// Builds, installs and moves; answers the place it was moved to.
fn installed(work: &mut Work<'_>, folder: &Path) -> Result<PathBuf, Stop> {
    let (build, first, moved) = (folder.join("build"), folder.join("first"), folder.join("moved/there"));
    let mut configure = tool("cmake", &["-S", RECIPE, "-B"]);
    configure.arg(&build).arg(format!("-DCMAKE_INSTALL_PREFIX={}", first.display()));
    // What the other parts have built is not built again.
    let target = work.target_dir("release");
    let target = target.parent().unwrap_or(&target).to_owned();
    configure.arg(format!("-DORCHFLOW_TARGET_DIR={}", target.display()));
    work.run(configure)?;
    work.run(with(tool("cmake", &["--build"]), &build))?;
    work.run(with(tool("cmake", &["--install"]), &build))?;
    let is_moved = fs::create_dir_all(folder.join("moved")).and_then(|()| fs::rename(&first, &moved));
    match is_moved {
        Ok(()) => Ok(moved),
        Err(error) => work.fail(format_args!("{}: {error}", moved.display())),
    }
}

/// The names lead to the file, and it tells programs which name to look for.
fn versions(work: &mut Work<'_>, lib: &Path) -> Outcome {
    for (link, leads_to) in [("liborchflow.so", SONAME), (SONAME, FILE)] {
        let found = fs::read_link(lib.join(link)).unwrap_or_default();
        if found != Path::new(leads_to) {
            return work.fail(format_args!("{link} leads to `{}`, not to {leads_to}", found.display()));
        }
    }
    let dynamic = work.ask(with(tool("readelf", &["--dynamic", "--wide"]), &lib.join(FILE)))?;
    let wanted = format!("[{SONAME}]");
    if dynamic.lines().any(|line| line.contains("(SONAME)") && line.contains(&wanted)) {
        Ok(())
    } else {
        work.fail(format_args!("the soname is not {SONAME}:\n{dynamic}"))
    }
}

/// The shared library shows nothing but our calls.
fn symbols(work: &mut Work<'_>, library: &Path) -> Outcome {
    let symbols = work.ask(with(tool("nm", &["--dynamic", "--defined-only", "--format=posix"]), library))?;
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let foreign: Vec<_> = names.iter().filter(|name| !name.starts_with("orch_")).collect();
    if names.is_empty() || !foreign.is_empty() {
        return work.fail(format_args!("{} shows {} symbols, of them not ours: {foreign:?}", library.display(), names.len()));
    }
    Ok(())
}

/// `Libs.private` says what the compiler says; it is a list in bindings/c/CMakeLists.txt.
fn needs_of_the_static_library(work: &mut Work<'_>, prefix: &Path) -> Outcome {
    let said = super::abi::build(work)?;
    let pc = fs::read_to_string(prefix.join("lib/pkgconfig/orchflow.pc")).unwrap_or_default();
    let (compiler, ours) = (after(&said, "native-static-libs: "), after(&pc, "Libs.private: "));
    if compiler.is_some() && compiler == ours {
        Ok(())
    } else {
        work.fail(format_args!("the static library needs {compiler:?}, and bindings/c/CMakeLists.txt says {ours:?}"))
    }
}

/// The rest of the line that has `key`.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| Some(line.split_once(key)?.1.trim()))
}

fn by_pkg_config(work: &mut Work<'_>, folder: &Path, prefix: &Path) -> Result<Vec<Consumer>, Stop> {
    let mut consumers = Vec::new();
    let asked = ["--cflags", "--libs", "orchflow"];
    for (name, is_shared) in [("pkgconfig-shared", true), ("pkgconfig-static", false)] {
        let mut ask = tool("pkg-config", if is_shared { &[] } else { &["--static"] });
        ask.args(asked);
        let flags = work.ask(found(ask, prefix))?;
        // Where both libraries lie side by side, a linker takes the shared one unless it is told the file.
        let flags = if is_shared { flags } else { flags.replace("-lorchflow", "-l:liborchflow.a") };
        let path = folder.join(name);
        let mut compile = tool("cc", &["-std=c99", "-Wall", "-Wextra", "-Werror"]);
        compile.arg(format!("{CONSUMERS}/hello.c")).args(flags.split_whitespace()).arg("-o").arg(&path);
        work.run(compile)?;
        consumers.push(Consumer { path, is_shared });
    }
    Ok(consumers)
}

fn by_cmake(work: &mut Work<'_>, folder: &Path, prefix: &Path) -> Result<Vec<Consumer>, Stop> {
    let build = folder.join("cmake");
    let mut configure = tool("cmake", &["-S", CONSUMERS, "-B"]);
    configure.arg(&build).arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
    work.run(configure)?;
    work.run(with(tool("cmake", &["--build"]), &build))?;
    let programs = [("shared", true), ("static", false), ("cpp", true)];
    Ok(programs.into_iter().map(|(name, is_shared)| Consumer { path: build.join(name), is_shared }).collect())
}

fn by_meson(work: &mut Work<'_>, folder: &Path, prefix: &Path) -> Result<Consumer, Stop> {
    let build = folder.join("meson");
    work.run(found(with(tool("meson", &["setup", CONSUMERS]), &build), prefix))?;
    work.run(with(tool("meson", &["compile", "-C"]), &build))?;
    Ok(Consumer { path: build.join("meson"), is_shared: true })
}

/// The program runs, and has the library from where it should.
fn says_hello(work: &mut Work<'_>, program: &Consumer, prefix: &Path) -> Outcome {
    let dynamic = work.ask(with(tool("readelf", &["--dynamic", "--wide"]), &program.path))?;
    let is_shared = dynamic.lines().any(|line| line.contains("(NEEDED)") && line.contains(SONAME));
    if is_shared != program.is_shared {
        let wrong = if is_shared { "needs the shared library" } else { "does not need the shared library" };
        return work.fail(format_args!("{} {wrong}", program.path.display()));
    }
    let mut run = tool("timeout", &[&RUN_MAX.as_secs().to_string()]);
    run.arg(&program.path);
    if is_shared {
        run.env("LD_LIBRARY_PATH", prefix.join("lib"));
    }
    let said = work.ask(run)?;
    if said.trim_end() == "hello" { Ok(()) } else { work.fail(format_args!("{} says {said:?}", program.path.display())) }
}

fn with(mut command: Command, path: &Path) -> Command {
    command.arg(path);
    command
}

/// Has pkg-config look in the prefix and nowhere else.
fn found(mut command: Command, prefix: &Path) -> Command {
    command.env("PKG_CONFIG_LIBDIR", prefix.join("lib/pkgconfig"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_compiler_says_is_found_behind_its_key() {
        let said = "   Compiling orchflow-ffi\nnote: native-static-libs: -lgcc_s -lc\n\n";
        assert_eq!(after(said, "native-static-libs: "), Some("-lgcc_s -lc"));
        assert_eq!(after("Libs.private:", "Libs.private: "), None);
    }
}
