//! Every dependency, for whatever purpose, comes under a licence that deny.toml accepts.

use super::{Finding, Tree};

const RULES: &str = "deny.toml";

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let Some(rules) = tree.file(RULES) else {
        return vec![Finding::new(RULES, 0, "is missing", "commit it, with the licences we accept")];
    };
    let section = section(&rules.text);
    let refused = tree.packages.iter().filter(|package| {
        let allowed = [allowed(section), excepted(section, &package.name)].concat();
        !accepts(&allowed, &package.licence)
    });
    let fix = "look for another dependency; a licence as free as ours may be added to deny.toml";
    refused.map(|package| Finding::new(RULES, 0, format!("`{}` comes under `{}`", package.name, package.licence), fix)).collect()
}

/// What stands under `[licenses]`.
fn section(rules: &str) -> &str {
    rules.split("\n[licenses]").nth(1).and_then(|rest| rest.split("\n[").next()).unwrap_or_default()
}

/// What is allowed besides for this package, by a line `{ crate = "name", allow = [...] }`.
fn excepted<'a>(section: &'a str, package: &str) -> Vec<&'a str> {
    let start = format!("{{ crate = \"{package}\", allow = [");
    let line = section.lines().find_map(|line| line.trim_start().strip_prefix(&start));
    line.into_iter().flat_map(|list| list.split('"').skip(1).step_by(2)).collect()
}

/// The strings of the section's list `allow`.
fn allowed(section: &str) -> Vec<&str> {
    let list = section.split("\nallow = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    list.lines().filter_map(|line| line.split('#').next()).flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

/// Whether a licence expression can be met: `A OR B` by either, `A AND B` by both. `A/B` is the old way to say
/// `A OR B`. Nothing stated is nothing granted.
fn accepts(allowed: &[&str], expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut parser = Parser { allowed, words: spaced.split_whitespace().peekable() };
    parser.either() && parser.words.next().is_none()
}

struct Parser<'a> {
    allowed: &'a [&'a str],
    words: std::iter::Peekable<std::str::SplitWhitespace<'a>>,
}

impl Parser<'_> {
    fn either(&mut self) -> bool {
        let mut met = self.both();
        while self.words.next_if_eq(&"OR").is_some() {
            met |= self.both();
        }
        met
    }

    fn both(&mut self) -> bool {
        let mut met = self.one();
        while self.words.next_if_eq(&"AND").is_some() {
            met &= self.one();
        }
        met
    }

    fn one(&mut self) -> bool {
        let Some(word) = self.words.next() else {
            return false;
        };
        if word == "(" {
            let met = self.either();
            return self.words.next() == Some(")") && met;
        }
        let mut name = word.to_owned();
        if self.words.next_if_eq(&"WITH").is_some() {
            name = format!("{name} WITH {}", self.words.next().unwrap_or_default());
        }
        self.allowed.contains(&name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Package;

    const RULES_TEXT: &str = r#"
[bans]
allow = ["GPL-3.0"]

[licenses]
# Ours.
allow = [
    "MIT", # "Zlib"
    "Apache-2.0",
]
exceptions = [
    { crate = "tool", allow = ["MPL-2.0"] },
]

[sources]
"#;

    #[test]
    fn only_the_list_of_licences_counts() {
        assert_eq!(allowed(section(RULES_TEXT)), ["MIT", "Apache-2.0"]);
    }

    #[test]
    fn expressions_are_met_as_they_read() {
        let check = |expression| accepts(&["MIT", "Apache-2.0"], expression);
        assert!(check("MIT"));
        assert!(check("MIT/Unlicense"));
        assert!(check("GPL-3.0 OR MIT AND Apache-2.0"));
        assert!(check("Apache-2.0 WITH LLVM-exception OR MIT"));
        assert!(!check("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!check("Apache-2.0 WITH LLVM-exception"));
        assert!(!check("MIT Apache-2.0"));
        assert!(!check(""));
    }

    #[test]
    fn package_under_another_licence_is_found() {
        let mut tree = Tree::of(&[("deny.toml", RULES_TEXT)]);
        tree.packages = [("good", "MIT"), ("tool", "MPL-2.0"), ("bad", "GPL-3.0"), ("mute", "")]
            .map(|(name, licence)| Package { name: name.into(), licence: licence.into() })
            .into();
        let findings = find(&tree);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].what.contains("bad"));
    }
}
