"""A refactoring that is half done: changes lines of the Rust below a folder, by a fixed seed.

usage: rustc-errors.changes.py FOLDER EVERY   (one line in EVERY is changed, where a change fits it)
"""
import pathlib
import random
import sys


def swap(a, b):
    return lambda line: line.replace(a, b, 1) if a in line else None


CHANGES = [swap("&mut ", "&"), swap("let mut ", "let "), swap(".clone()", ""), swap("?;", ";"), swap("usize", "u32"), swap("u64", "i64"),
           swap("Some(", "Ok("), swap("&self", "self"), swap(".is_some()", ".is_set()"), swap(".len()", ".length()"),
           swap("&str", "String"), swap("Option<", "Result<"), swap(" as u64", ""), swap("move |", "|"), swap("Vec<", "Box<"), swap(".iter()", "")]

random.seed(7)
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.rs")):
    lines = path.read_text().split("\n")
    for at, line in enumerate(lines):
        if "#[cfg(test)]" in line:
            break
        if line.lstrip().startswith(("//", "use ", "pub use", "#", "mod ", "macro")) or random.random() > 1 / float(sys.argv[2]):
            continue
        fitting = [new for change in CHANGES if (new := change(line)) is not None]
        if fitting:
            lines[at] = random.choice(fitting)
    path.write_text("\n".join(lines))
