//! The place and size of every public field, as a C compiler sees it, in a file of asserts that only ever grows.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::header::HEADER;
use crate::tools::tool;
use crate::work::{Outcome, Stop, Work};

/// The asserts. A test in C like others: it also holds under sanitizers.
const LAYOUT: &str = "bindings/c/tests/layout.c";

const COMPILE_MAX: Duration = Duration::from_secs(60);

const HEAD: &str = "\
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Where every public field is, and its size, with 64-bit pointers. `cargo xtask abi` adds lines and never changes one. */
#include <stddef.h>
#include <stdio.h>

#include \"orchflow.h\"

#if UINTPTR_MAX == UINT64_MAX

#define AT(type, field, offset, size)                                                              \\
    _Static_assert(offsetof(type, field) == (offset), #type \".\" #field \" has moved\");              \\
    _Static_assert(sizeof(((type *)0)->field) == (size), #type \".\" #field \" has another size\")
/* Of structs without a size, which can never grow. */
#define FROZEN(type, size) _Static_assert(sizeof(type) == (size), #type \" has another size\")

";

const TAIL: &str = "
#endif

int main(void)
{
    puts(\"ok every_field_is_where_it_was\");
    return 0;
}
";

/// Every assert that was committed holds, every field has one, and a field that moves would be noticed.
pub(super) fn holds(work: &mut Work<'_>) -> Outcome {
    let mut compile = tool("cc", COMPILE);
    compile.args(["-Iinclude", LAYOUT]);
    work.run(compile)?;
    let committed = fs::read_to_string(work.root.join(LAYOUT)).unwrap_or_default();
    let missing: Vec<_> = asserts(work)?.lines().filter(|line| !committed.contains(line)).map(str::to_owned).collect();
    if !missing.is_empty() {
        return work.fail(format_args!("{LAYOUT} does not say, but `cargo xtask abi` adds:\n{}", missing.join("\n")));
    }
    a_moved_field_is_noticed(work)
}

/// The same asserts against a header where two fields changed places.
fn a_moved_field_is_noticed(work: &mut Work<'_>) -> Outcome {
    let header = fs::read_to_string(work.root.join(HEADER)).unwrap_or_default();
    let moved = header
        .replace("uint32_t kind;", "uint32_t x;")
        .replace("uint32_t flags;", "uint32_t kind;")
        .replace("uint32_t x;", "uint32_t flags;");
    let folder = work.target_dir("abi").join("moved");
    if let Err(error) = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("orchflow.h"), moved)) {
        return work.fail(format_args!("{}: {error}", folder.display()));
    }
    let mut compile = tool("cc", COMPILE);
    compile.arg("-I").arg(folder).arg(LAYOUT);
    if !work.fails(compile, COMPILE_MAX, |line| line.contains("has moved"))? {
        return work.fail(format_args!("{LAYOUT} compiles with a header whose fields changed places"));
    }
    work.tally.passed += 1;
    Ok(())
}

const COMPILE: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"];

/// Adds what is new. What is there already must still be so.
pub(super) fn write(work: &mut Work<'_>) -> Outcome {
    let asserts = asserts(work)?;
    let committed = fs::read_to_string(work.root.join(LAYOUT)).unwrap_or_default();
    let older = committed.lines().filter(|line| line.starts_with("AT(") || line.starts_with("FROZEN("));
    let broken: Vec<_> = older.filter(|line| !asserts.lines().any(|new| new == *line)).collect();
    if !broken.is_empty() {
        let broken = broken.join("\n");
        return work
            .fail(format_args!("programs rely on this, and it is so no longer (a new soname starts with {LAYOUT} deleted):\n{broken}"));
    }
    match fs::write(work.root.join(LAYOUT), format!("{HEAD}{}{TAIL}", asserts.trim_end().to_owned() + "\n")) {
        Ok(()) => Ok(()),
        Err(error) => work.fail(format_args!("{LAYOUT}: {error}")),
    }
}

/// The asserts as they are true now: a program says so.
fn asserts(work: &mut Work<'_>) -> Result<String, Stop> {
    let header = fs::read_to_string(work.root.join(HEADER)).unwrap_or_default();
    let structs = structs(&header);
    if structs.is_empty() {
        return work.fail(format_args!("{HEADER} has no structs"));
    }
    let folder = work.target_dir("abi");
    let (source, program) = (folder.join("layout.c"), folder.join("layout"));
    if let Err(error) = fs::create_dir_all(&folder).and_then(|()| fs::write(&source, asking(&structs))) {
        return work.fail(format_args!("{}: {error}", source.display()));
    }
    let mut compile = tool("cc", &["-std=c11", "-Iinclude", "-o"]);
    compile.arg(&program).arg(&source);
    work.run(compile)?;
    work.ask(std::process::Command::new(program))
}

/// A program that prints the asserts.
fn asking(structs: &[Struct]) -> String {
    let mut text = "#include <stddef.h>\n#include <stdio.h>\n#include \"orchflow.h\"\nint main(void)\n{\n".to_owned();
    for Struct { name, fields } in structs {
        for field in fields {
            let _ =
                writeln!(text, "printf(\"AT({name}, {field}, %zu, %zu);\\n\", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));");
        }
        if fields.first().is_some_and(|first| first != "size") {
            let _ = writeln!(text, "printf(\"FROZEN({name}, %zu);\\n\", sizeof({name}));");
        }
    }
    text + "return 0;\n}\n"
}

#[derive(Debug, PartialEq, Eq)]
struct Struct {
    name: String,
    fields: Vec<String>,
}

/// The structs of a header whose fields are public.
fn structs(header: &str) -> Vec<Struct> {
    let code: String = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/'])).map(|line| format!("{line}\n")).collect();
    let bodies = code.split("typedef struct ").skip(1).filter_map(|rest| rest.split_once("}")?.0.split_once(" {"));
    let bodies = bodies.filter(|(name, _)| !name.contains(';'));
    bodies.map(|(name, body)| Struct { name: name.to_owned(), fields: body.split(';').filter_map(field).collect() }).collect()
}

/// The name in a declaration: that of a pointer to a function stands in its middle.
fn field(declaration: &str) -> Option<String> {
    let declaration = declaration.split("(*").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or(declaration);
    let name = declaration.trim().rsplit([' ', '*']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_types() {
        let header = "typedef struct OrchHub OrchHub;\n\ntypedef struct OrchX {\n    /**\n     * One; of many.\n     */\n    size_t size;\n    \
            const char *const *argv;\n    void (*wake)(void *user_data);\n    struct OrchSize window;\n} OrchX;\n";
        let fields = ["size", "argv", "wake", "window"].map(str::to_owned).to_vec();
        assert_eq!(structs(header), [Struct { name: "OrchX".to_owned(), fields }]);
    }
}
