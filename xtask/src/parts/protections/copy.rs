//! A copy of the tree in which every protection has its switch.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::protections::{ASKED, Protection, Site, sites, switched};
use crate::tidy::listed;
use crate::work::{Stop, Work};

/// The crate's root file, where the switches find what they ask.
const ROOT: &str = "core/src/lib.rs";

/// Brings the copy in `folder` up to date, touching only what has changed so that only that is built; answers its manifest.
pub(super) fn make(work: &mut Work<'_>, folder: &Path, all: &[&Protection]) -> Result<PathBuf, Stop> {
    let mut kept = Vec::new();
    for path in listed(work)? {
        let Ok(mut content) = fs::read(work.root.join(&path)) else { continue }; // Deleted, and still listed.
        if let Ok(text) = String::from_utf8(content.clone()) {
            content = with_switches(work, &path, text, all)?.into_bytes();
        }
        let copy = folder.join(&path);
        if fs::read(&copy).is_ok_and(|known| known == content) {
            kept.push(copy);
            continue;
        }
        let written = fs::create_dir_all(copy.parent().unwrap_or(folder)).and_then(|()| fs::write(&copy, content));
        if let Err(error) = written {
            return work.fail(format_args!("{}: {error}", copy.display()));
        }
        kept.push(copy);
    }
    remove_all_but(folder, &kept);
    Ok(folder.join("Cargo.toml"))
}

fn with_switches(work: &mut Work<'_>, path: &str, text: String, all: &[&Protection]) -> Result<String, Stop> {
    let mut found: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (number, protection) in all.iter().enumerate().filter(|(_, protection)| protection.file == path) {
        let [range] = &sites(&text, protection)[..] else {
            return work.fail(format_args!("`{}` is not in one place of {path}; see `cargo xtask test tidy`", protection.name));
        };
        found.entry((range.start, range.end)).or_default().push(number);
    }
    let sites: Vec<Site> = found.into_iter().map(|((start, end), numbers)| Site { range: start..end, numbers }).collect();
    if let Some(two) = sites.windows(2).find(|two| two[0].range.end > two[1].range.start) {
        let names = (all[two[0].numbers[0]].name, all[two[1].numbers[0]].name);
        return work.fail(format_args!("`{}` and `{}` lie within each other", names.0, names.1));
    }
    let text = switched(&text, &sites, all);
    Ok(if path == ROOT { text + ASKED } else { text })
}

/// Removes what is no longer part of the tree: a test that is gone must not be built.
fn remove_all_but(folder: &Path, kept: &[PathBuf]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            remove_all_but(&path, kept);
        } else if !kept.contains(&path) {
            drop(fs::remove_file(path));
        }
    }
}
