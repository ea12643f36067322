//! What real programs wrote into a terminal, read by read: `core/testdata/recordings`.

use std::io;
use std::path::Path;

use serde_json::Value;

/// The reads of one program's output.
pub(super) type Reads = Vec<Vec<u8>>;

/// All recordings, by name.
pub(super) fn all() -> io::Result<Vec<(&'static str, Reads)>> {
    NAMES.iter().map(|name| Ok((*name, read(name)?))).collect()
}

const NAMES: [&str; 4] = ["ls-color", "rustc-errors", "vim", "git-log"];

/// Takes an asciicast apart: a header, then `[seconds, "o", text]` in each line.
fn read(name: &str) -> io::Result<Reads> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/testdata/recordings").join(name).with_extension("cast");
    let text = std::fs::read_to_string(path)?;
    let line = |line: &str| {
        let event: Value = serde_json::from_str(line)?;
        let text = event[2].as_str().ok_or_else(|| io::Error::other(format!("{name} is no asciicast: {line}")))?;
        Ok(text.as_bytes().to_vec())
    };
    text.lines().skip(1).map(line).collect()
}
