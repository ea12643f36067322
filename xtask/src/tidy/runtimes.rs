//! The core must run under any runtime, so it can depend on none, not even through somebody else.

use super::{Finding, Tree};

const RUNTIMES: &[&str] = &[
    "actix-rt",
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-process",
    "async-std",
    "blocking",
    "compio",
    "embassy-executor",
    "futures-executor",
    "glommio",
    "mio",
    "monoio",
    "polling",
    "rayon",
    "smol",
    "tokio",
    "tokio-util",
];

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let banned = tree.core_dependencies.iter().filter(|name| RUNTIMES.contains(&name.as_str()));
    let fix = |name: &str| format!("see who brings it: cargo tree --package orchflow-core --edges normal --target all --invert {name}");
    banned.map(|name| Finding::new("core/Cargo.toml", 0, format!("the core depends on `{name}`"), fix(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runtime_behind_another_package_is_found() {
        let core_dependencies = ["orchflow-core", "bytes", "tokio"].map(str::to_owned).into();
        let findings = find(&Tree { core_dependencies, ..Tree::default() });
        assert_eq!(findings.len(), 1);
        assert!(findings[0].what.contains("tokio"));
    }
}
