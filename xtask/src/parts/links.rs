//! Finds links in a Markdown page that lead nowhere in the tree.
//!
//! Checked are relative links, with their `#heading` where they have one, and paths in code spans that start at
//! one of our folders (`core/src/ring`). Deliberately absent: the web; a page does not break with the network.

use std::fs;
use std::path::Path;

pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// The broken links of the page at `page`, a path from `root`, with this text.
pub(crate) fn broken(root: &Path, page: &str, text: &str) -> Vec<Broken> {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (line, content) in prose(text) {
        for target in targets(&without_spans(content)) {
            if let Some(why) = check(root, folder, page, text, &target) {
                found.push(Broken { line, why });
            }
        }
        for path in spans(content).filter(|span| looks_like_ours(root, span)) {
            if !root.join(path).exists() {
                found.push(Broken { line, why: format!("`{path}` does not exist") });
            }
        }
    }
    found
}

fn check(root: &Path, folder: &Path, page: &str, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let (name, text) = if path.is_empty() {
        (page.to_owned(), text.to_owned())
    } else {
        let file = if let Some(path) = path.strip_prefix('/') { root.join(path) } else { root.join(folder).join(path) };
        if !file.exists() {
            return Some(format!("({target}) leads nowhere: there is no {path}"));
        }
        if heading.is_empty() || !path.ends_with(".md") {
            return None;
        }
        (path.to_owned(), fs::read_to_string(file).unwrap_or_default())
    };
    let known = heading.is_empty() || prose(&text).any(|(_, line)| anchor(line).is_some_and(|anchor| anchor == heading));
    if known { None } else { Some(format!("({target}) leads nowhere: {name} has no heading #{heading}")) }
}

/// The lines outside fenced code, counted from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { None } else { Some((index + 1, line)) }
    })
}

/// The targets of `[text](target)`, `![text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, _) in line.match_indices("](") {
        let rest = &line[index + 2..];
        if let Some(end) = rest.find(')') {
            found.extend(rest[..end].split_whitespace().next().map(str::to_owned));
        }
    }
    if let Some((_, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
        found.extend(target.split_whitespace().next().map(str::to_owned));
    }
    found
}

/// The contents of `code spans`.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The line with empty code spans, for code may look like a link.
fn without_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// A plain path that starts with a folder of the repository.
fn looks_like_ours(root: &Path, span: &str) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    plain && span.split_once('/').is_some_and(|(first, _)| !first.is_empty() && !first.starts_with("..") && root.join(first).is_dir())
}

/// The anchor a heading gets: lower case, spaces to dashes, other punctuation gone.
fn anchor(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#');
    if title.len() == line.len() || !title.starts_with(' ') {
        return None;
    }
    let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a page of this package's folder.
    fn check(text: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        broken(root, "src/page.md", text).into_iter().map(|link| format!("{}: {}", link.line, link.why)).collect()
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        let page = "# The *big* house\n[a](main.rs), ![b](../Cargo.toml), [c](https://example.org), [d](#the-big-house), `src/main.rs`\n\n[e]: main.rs\n";
        assert_eq!(check(page), [""; 0]);
    }

    #[test]
    fn missing_file_heading_and_path_are_told_with_their_line() {
        let page = "# House\n[a](gone.rs)\n[b](#garden)\nSee `src/gone.rs`.\n[c]: also_gone.md\n";
        let expected = [
            "2: (gone.rs) leads nowhere: there is no gone.rs",
            "3: (#garden) leads nowhere: src/page.md has no heading #garden",
            "4: `src/gone.rs` does not exist",
            "5: (also_gone.md) leads nowhere: there is no also_gone.md",
        ];
        assert_eq!(check(page), expected);
    }

    #[test]
    fn code_is_not_searched_for_links() {
        assert_eq!(check("```\n[a](gone.rs)\n```\n`[b](gone.rs)` and `/proc/self/fd`, `a/b`\n"), [""; 0]);
    }
}
