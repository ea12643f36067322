//! What the laws look at: the files git would commit, and what cargo knows of the dependencies.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::mask::{Masked, mask};
use crate::tools::{cargo, tool};
use crate::work::{Stop, Work};

#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    /// The names of the core's normal dependencies, direct or not, on any target, with its default features.
    pub(crate) core_dependencies: Vec<String>,
    pub(crate) packages: Vec<Package>,
}

/// A dependency of any package of ours, for any purpose.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) licence: String,
}

pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text by kind, where this is Rust.
    pub(crate) rust: Option<Masked>,
}

impl Tree {
    pub(crate) fn load(work: &mut Work<'_>) -> Result<Tree, Stop> {
        let mut tree = Tree::default();
        for path in listed(work)? {
            // A file just deleted is still listed; one that is not text has no lines to look at.
            if let Ok(text) = fs::read(work.root.join(&path)).map(String::from_utf8) {
                tree.files.push(File::new(&path, text.unwrap_or_default()));
            }
        }
        let normal = ["tree", "--locked", "--package", "orchflow-core", "--edges", "normal", "--target", "all", "--prefix", "none"];
        let dependencies = work.ask(cargo(&normal))?;
        tree.core_dependencies = dependencies.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
        let metadata = work.ask(cargo(&["metadata", "--locked", "--all-features", "--format-version=1"]))?;
        match serde_json::from_str(&metadata) {
            Ok(metadata) => tree.packages = packages(&metadata),
            Err(error) => return work.fail(error),
        }
        Ok(tree)
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(crate) fn rust_files(&self) -> impl Iterator<Item = (&File, &Masked)> {
        self.files.iter().filter_map(|file| Some((file, file.rust.as_ref()?)))
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File::new(path, text.to_string())).collect();
        Tree { files, ..Tree::default() }
    }
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let rust = path.ends_with(".rs").then(|| mask(&text));
        File { path: path.to_owned(), text, rust }
    }

    /// Whether the whole file is tests, by where it lies or by its name.
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let by_name = name.starts_with("tests") || ["conformance.rs", "models.rs"].contains(&name);
        by_name || ["tests", "models", "conformance"].iter().any(|folder| self.path.split('/').any(|part| part == *folder))
    }
}

/// The line, counted from 1, that holds the byte at `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Where `word` stands in `code` and is not part of a longer name.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let ends_before = !word.starts_with(part_of_name) || !code[..*at].ends_with(part_of_name);
        let ends_after = !word.ends_with(part_of_name) || !code[at + word.len()..].starts_with(part_of_name);
        ends_before && ends_after
    })
}

/// What git would commit; in a copy of the sources without git, whatever lies there, but for what builds leave.
pub(crate) fn listed(work: &mut Work<'_>) -> Result<Vec<String>, Stop> {
    let git = || tool("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    if work.has(git()) {
        return Ok(work.ask(git())?.lines().map(str::to_owned).collect());
    }
    let mut files = Vec::new();
    walk(work.root, "", &mut files);
    Ok(files)
}

fn walk(root: &Path, folder: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if [".git", "target", "node_modules", ".venv", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        if entry.path().is_dir() {
            walk(root, &path, files);
        } else {
            files.push(path);
        }
    }
}

/// The packages that come from elsewhere.
fn packages(metadata: &Value) -> Vec<Package> {
    let all = metadata["packages"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.filter(|package| !package["source"].is_null())
        .map(|package| Package { name: text(&package["name"]), licence: text(&package["license"]) })
        .collect()
}
