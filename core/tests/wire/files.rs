//! Where the golden files lie, and how they are compared or written.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

/// A file of this package.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(place(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A golden file, as any language would read it.
pub(crate) fn read_json(name: &str) -> Value {
    serde_json::from_str(&read(&format!("testdata/frames/{name}"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Holds a golden file against `content`, or writes it where the environment asks for that.
pub(crate) fn compare(name: &str, content: &impl Serialize) {
    if write_if_asked(name, || content) {
        return;
    }
    let text = serde_json::to_string_pretty(content).unwrap() + "\n";
    let path = format!("testdata/frames/{name}");
    let golden = read(&path);
    let first = golden.lines().zip(text.lines()).position(|(golden, ours)| golden != ours);
    let line = first.unwrap_or(golden.lines().count().min(text.lines().count())) + 1;
    assert!(golden == text, "core/{path}:{line} differs from what is made now; see core/tests/wire/main.rs on writing it anew");
}

/// Writes a golden file, where the environment asks for that. Answers whether it does.
pub(crate) fn write_if_asked<T: Serialize>(name: &str, content: impl FnOnce() -> T) -> bool {
    if std::env::var_os("ORCHFLOW_WRITE_FRAMES").is_none() {
        return false;
    }
    let path = place(&format!("testdata/frames/{name}"));
    let new = path.with_extension(format!("json.new-{:?}", std::thread::current().id()));
    fs::write(&new, serde_json::to_string_pretty(&content()).unwrap() + "\n").unwrap();
    fs::rename(new, path).unwrap(); // Other tests read it meanwhile.
    true
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("two hex digits")).collect()
}

fn place(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), path].iter().collect()
}
