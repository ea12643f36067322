//! The laws of the house, as a part.

use crate::tidy::{LAWS, Tree};
use crate::work::{Outcome, Work};

pub(crate) fn tidy(work: &mut Work<'_>) -> Outcome {
    let tree = Tree::load(work)?;
    let mut findings = 0;
    for law in LAWS {
        for finding in (law.find)(&tree) {
            work.log.push_str(&format!("{finding}\n    law: {}\n", law.name));
            findings += 1;
        }
    }
    if findings > 0 {
        return work.fail(format_args!("{findings} findings"));
    }
    work.note = format!("{} laws, {} files", LAWS.len(), tree.files.len());
    Ok(())
}
