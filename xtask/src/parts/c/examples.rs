//! The examples in C and C++, built as users would, and driven to their ends.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Library, WARNINGS, folder, library};
use crate::tools::{apt_library, build, cargo, tool};
use crate::work::{Outcome, Stop, Work};

/// Where they lie.
const EXAMPLES: &str = "bindings/c/examples";

/// Drives those that talk to people.
const DRIVER: &str = "bindings/c/examples/drive.py";

/// One that has not ended by then hangs.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Each with the library that it needs besides ours, as pkg-config and Debian call it.
const PROGRAMS: &[(&str, Option<(&str, &str)>)] = &[
    ("expect.c", None),
    ("many.cpp", None),
    ("epoll_term.c", None),
    ("glib_term.c", Some(("glib-2.0", "libglib2.0-dev"))),
    ("serve.c", None),
    ("serve_ws.c", Some(("libwebsockets", "libwebsockets-dev"))),
];

pub(in crate::parts) fn c_examples(work: &mut Work<'_>) -> Outcome {
    let library = library(work, Library::Shipped)?;
    let mut built = Vec::new();
    for (source, needs) in PROGRAMS {
        built.push(compile(work, &library, source, *needs)?);
    }
    let [expect, many, epoll_term, glib_term, serve, serve_ws] = &built[..] else {
        return work.fail("not every example was built");
    };
    for program in [expect, many] {
        work.run_within(Command::new(program), RUN_MAX)?;
    }
    let client = cargo(&["build", "--release", "--package", "orchflow-examples", "--example", "attach", "--message-format=json"]);
    let client = build(work, client)?;
    let Some(client) = client.iter().find(|program| program.name == "attach") else {
        return work.fail("the example `attach`, by which servers are driven, was not built");
    };
    for (kind, program, client) in
        [("term", epoll_term, None), ("term", glib_term, None), ("unix", serve, Some(client)), ("ws", serve_ws, Some(client))]
    {
        let mut drive = tool("python3", &[DRIVER, kind]);
        drive.arg(program).args(client.map(|client| &client.path));
        work.run_within(drive, RUN_MAX)?;
    }
    work.note = format!("{} built and driven", built.len());
    Ok(())
}

fn compile(work: &mut Work<'_>, library: &Path, source: &str, needs: Option<(&str, &str)>) -> Result<PathBuf, Stop> {
    let (name, extension) = source.split_once('.').unwrap_or((source, "c"));
    let program = folder(work)?.join(name);
    let mut compile = if extension == "c" { tool("cc", &["-std=c11"]) } else { tool("c++", &["-std=c++17"]) };
    compile.args(WARNINGS).args(["-O2", "-Iinclude"]).arg(format!("{EXAMPLES}/{source}")).arg("-o").arg(&program);
    if let Some((name, package)) = needs {
        apt_library(work, name, package)?;
        let flags = work.ask(tool("pkg-config", &["--cflags", "--libs", name]))?;
        compile.args(flags.split_whitespace());
    }
    compile.arg(format!("-L{}", library.display())).arg("-lorchflow").arg(format!("-Wl,-rpath,{}", library.display()));
    work.run(compile)?;
    Ok(program)
}
