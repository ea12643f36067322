//! The documentation: rustdoc without warnings, and pages whose links lead somewhere.

use std::fs;
use std::path::Path;

use super::links;
use crate::tools::cargo;
use crate::work::{Outcome, Work};

/// The pages at the top; those under `docs/` and the packages' own are found.
const PAGES: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

pub(crate) fn docs(work: &mut Work<'_>) -> Outcome {
    let mut pages: Vec<String> = PAGES.iter().filter(|page| work.exists(page)).map(|page| page.to_string()).collect();
    find_pages(work.root, "docs", &mut pages);
    let mut broken = String::new();
    for page in &pages {
        let Ok(text) = fs::read_to_string(work.root.join(page)) else {
            return work.fail(format_args!("{page}: cannot be read"));
        };
        for link in links::broken(work.root, page, &text) {
            broken.push_str(&format!("{page}:{}: {}\n", link.line, link.why));
        }
    }
    let mut rustdoc = cargo(&["doc", "--workspace", "--no-deps"]);
    rustdoc.env("RUSTDOCFLAGS", "-D warnings");
    let built = work.run(rustdoc);
    if !broken.is_empty() {
        return work.fail(broken);
    }
    work.note = format!("links of {} pages checked", pages.len());
    built
}

fn find_pages(root: &Path, folder: &str, pages: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries.flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            find_pages(root, &path, pages);
        } else if path.ends_with(".md") {
            pages.push(path);
        }
    }
}
