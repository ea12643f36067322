//! Three files of the core hold all its unsafe code: the ring's segments, the spawner, and what counts forks.

use super::tree::{File, line_of, words};
use super::{Finding, Tree};

/// Files and folders that may hold unsafe code, each with the reason.
const ALLOWED: &[(&str, &str)] = &[
    ("core/src/ring/segment.rs", "readers and the writer share memory without a lock"),
    ("core/src/pty/unix/spawn.rs", "posix_spawn is a C function that takes pointers"),
    ("core/src/pty/unix/fork.rs", "a handler of fork is registered with a C function"),
    ("examples/embed_tokio.rs", "tokio registers a descriptor by an unsafe call; its owner is registered with it"),
    ("core/tests/fork.rs", "a host that forks calls an unsafe function; the test does so where nobody holds a lock"),
    ("core/tests/decoding_memory.rs", "an allocator that counts holds decoders to what they may allocate"),
    ("ffi/", "a C ABI is made of pointers"),
    ("benches/", "the raw limit is measured without the engine, and a counting allocator counts"),
];

/// The crate attribute that makes the compiler refuse it elsewhere in the core.
const DENY: &str = "#![deny(unsafe_code)]";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files().filter(|(file, _)| !is_allowed(file)) {
        for at in words(&rust.code, "unsafe") {
            let fix = "write it safely, or move it to the file whose invariant it is; see ALLOWED in xtask/src/tidy/unsafe_code.rs";
            findings.push(Finding::new(&file.path, line_of(&rust.code, at), "unsafe code", fix));
        }
        for lint in ["allow(unsafe_code", "expect(unsafe_code"] {
            for at in words(&rust.code, lint) {
                let fix = "let the file that needs it say `#![allow(unsafe_code)]` itself, at its top";
                findings.push(Finding::new(&file.path, line_of(&rust.code, at), "unsafe code is allowed here", fix));
            }
        }
    }
    if tree.file("core/src/lib.rs").is_some_and(|file| !file.text.contains(DENY)) {
        findings.push(Finding::new("core/src/lib.rs", 1, format!("`{DENY}` is missing"), "put it below the module's documentation"));
    }
    findings
}

fn is_allowed(file: &File) -> bool {
    ALLOWED.iter().any(|(path, _)| file.path == *path || (path.ends_with('/') && file.path.starts_with(path)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn unsafe_code_outside_its_files_is_found() {
        let file = "// unsafe\nfn f() { unsafe { g() } }\n#[allow(unsafe_code)]\nmod segment;\n";
        let files = [("core/src/ring/mod.rs", file), ("core/src/ring/segment.rs", file), ("ffi/src/lib.rs", file)];
        assert_eq!(found(find, &files), ["core/src/ring/mod.rs:2", "core/src/ring/mod.rs:3"]);
    }

    #[test]
    fn names_that_contain_the_word_are_no_unsafe_code() {
        assert_eq!(found(find, &[("core/src/lib.rs", "//! x\n#![deny(unsafe_code)]\nfn not_unsafe() {}")]), [""; 0]);
    }

    #[test]
    fn core_must_deny_it() {
        assert_eq!(found(find, &[("core/src/lib.rs", "//! x\n")]), ["core/src/lib.rs:1"]);
    }
}
