//! Each fuzz target for a short while, begun from the golden frames: enough to catch what a change broke. In full, more than a
//! million executions in all. Let one run on for hours with `cargo +nightly fuzz run NAME`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::tools::tool;
use crate::work::{Outcome, Stop, Work};

pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";

const TARGETS: &str = "fuzz/fuzz_targets";
const SECONDS: u64 = 20;
/// Executions of each target, in full.
const RUNS: u64 = 300_000;
/// A target that wants more has a decoder that believed a length.
const MEMORY_MB: u64 = 512;
/// Longer inputs are slower, and what they add is more of the same: no frame that is read from its beginning needs so much.
const INPUT_BYTES: u32 = 8 << 10;

/// What a target begins from: the frames in these files.
const GOLDEN: [&str; 2] = ["core/testdata/frames/v1.json", "core/testdata/frames/malformed.json"];

pub(crate) fn fuzz(work: &mut Work<'_>) -> Outcome {
    if !work.has(tool("rustup", &["run", "nightly", "cargo", "--version"])) {
        return Err(Stop::Skipped("there is no nightly toolchain: rustup toolchain install nightly --profile minimal".into()));
    }
    if !work.has(tool("cargo", &["fuzz", "--version"])) {
        return Err(Stop::Skipped("cargo-fuzz is not installed: cargo install --locked cargo-fuzz".into()));
    }
    let seeds = work.target_dir("fuzz-seeds");
    if let Err(error) = sow(work.root, &seeds) {
        return work.fail(format_args!("the golden frames cannot be taken for a beginning: {error}"));
    }
    let names = match names(&work.root.join(TARGETS)) {
        Ok(names) if !names.is_empty() => names,
        _ => return work.fail(format_args!("{TARGETS} has no targets")),
    };
    let (mut told, mut sum, mut peak) = (Vec::new(), 0, 0);
    for name in &names {
        let found = work.target_dir("fuzz-corpus").join(name);
        if let Err(error) = fs::create_dir_all(&found) {
            return work.fail(error);
        }
        let mut run = tool("rustup", &["run", "nightly", "cargo", "fuzz", "run", "--target-dir"]);
        run.arg(work.target_dir("fuzz")).arg(name).arg(found).arg(&seeds);
        let enough = if work.full { format!("-runs={RUNS}") } else { format!("-max_total_time={SECONDS}") };
        run.args(["--", &enough, &format!("-rss_limit_mb={MEMORY_MB}"), "-timeout=5", &format!("-max_len={INPUT_BYTES}")]);
        run.arg("-print_final_stats=1");
        let output = work.listen(run)?;
        let (Some(runs), Some(memory)) = (stat(&output, "number_of_executed_units"), stat(&output, "peak_rss_mb")) else {
            return work.fail(format_args!("{name} does not say how much it did"));
        };
        (sum, peak) = (sum + runs, peak.max(memory));
        told.push(format!("{name} {runs}"));
    }
    if work.full && sum < RUNS * names.len() as u64 {
        return work.fail(format_args!("{sum} executions are fewer than were asked for"));
    }
    work.note = format!("{sum} executions ({}); at most {peak} MB of {MEMORY_MB}", told.join(", "));
    Ok(())
}

/// A number from what libFuzzer says at its end, as in `stat::peak_rss_mb: 61`.
fn stat(output: &str, name: &str) -> Option<u64> {
    let value = output.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name)?.strip_prefix(':'))?;
    value.trim().parse().ok()
}

/// The targets' names, in order.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let files = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let mut names: Vec<String> = files.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort_unstable();
    Ok(names)
}

/// Packed output, stream by stream.
const PACKED: &str = "core/testdata/frames/packed.json";

/// Writes each golden frame to a file of its own, and each stream of packed output.
fn sow(root: &Path, seeds: &Path) -> std::io::Result<()> {
    fs::create_dir_all(seeds)?;
    for file in GOLDEN {
        let golden: Value = serde_json::from_str(&fs::read_to_string(root.join(file))?)?;
        for frame in golden["frames"].as_array().into_iter().flatten() {
            let (Some(name), Some(hex)) = (frame["name"].as_str(), frame["hex"].as_str()) else { continue };
            fs::write(seeds.join(name), unhex(hex))?;
        }
    }
    let packed: Value = serde_json::from_str(&fs::read_to_string(root.join(PACKED))?)?;
    for (number, run) in packed["streams"].as_array().into_iter().flatten().enumerate() {
        let frames = run["frames"].as_array().into_iter().flatten();
        let bytes: Vec<u8> = frames.filter_map(|frame| frame["frame"].as_str()).flat_map(unhex).collect();
        fs::write(seeds.join(format!("packed-{number}")), bytes)?;
    }
    Ok(())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_did_is_read_from_its_last_lines() {
        let output = "Done 7 runs in 1 second(s)\nstat::number_of_executed_units: 300007\nstat::peak_rss_mb:              61\n";
        assert_eq!((stat(output, "number_of_executed_units"), stat(output, "peak_rss_mb")), (Some(300_007), Some(61)));
        assert_eq!(stat("stat::peak_rss_mb: many", "peak_rss_mb"), None);
    }

    #[test]
    fn golden_frames_are_read_as_bytes() {
        assert_eq!(unhex("00ff1a"), [0x00, 0xff, 0x1a]);
    }
}
