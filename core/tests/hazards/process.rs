//! Our own process as the kernel sees it.

use std::fs;

/// Open descriptors, not counting the one that lists them.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Resident memory that is ours alone, in bytes: pages of program files come and go by themselves.
pub(crate) fn resident_bytes() -> usize {
    kibibytes(&status("/proc/self/status", "RssAnon:")) * 1024
}

/// One of the signal masks of `/proc/self/status`: whether it has `signal`.
pub(crate) fn signal_mask(field: &str, signal: u32) -> bool {
    let mask = u64::from_str_radix(status("/proc/self/status", field).trim(), 16).unwrap();
    mask & (1 << (signal - 1)) != 0
}

/// Children of this process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Children {
    pub(crate) alive: usize,
    pub(crate) zombies: usize,
}

pub(crate) fn children() -> Children {
    let ours = std::process::id().to_string();
    let mut children = Children::default();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Gone since it was listed, or no process at all.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let mut fields = rest.split(' ');
        match (fields.next(), fields.next()) {
            (Some("Z"), Some(parent)) if parent == ours => children.zombies += 1,
            (Some(_), Some(parent)) if parent == ours => children.alive += 1,
            _ => {}
        }
    }
    children
}

fn kibibytes(text: &str) -> usize {
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn status(path: &str, field: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_else(|| panic!("no {field} in {path}")).to_owned()
}
