//! 13, for whoever reads the counters: the page that explains them names those there are, and no others.

use std::collections::BTreeSet;

use crate::server::Server;

#[test]
fn page_and_server_name_the_same_metrics_of_the_same_kinds() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).unwrap();
    let told: BTreeSet<(String, String)> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .map(|row| (row[0].trim_end_matches('`').to_owned(), row[1].to_owned()))
        .collect();
    let text = Server::start(&[]).metrics();
    let served = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let served: BTreeSet<(String, String)> = served.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
    assert_eq!(told.difference(&served).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "the page tells of what is not there");
    assert_eq!(served.difference(&told).collect::<Vec<_>>(), Vec::<&(String, String)>::new(), "the page is silent about these");
    for (name, kind) in &served {
        let unit = ["_bytes", "_seconds"].into_iter().find(|unit| name.ends_with(unit));
        let is_named = |what: &str| text.contains(&format!("# {what} {name} "));
        assert!(is_named("HELP") && unit.is_none_or(|_| is_named("UNIT")), "{name} ({kind}) lacks its help or its unit");
    }
}
