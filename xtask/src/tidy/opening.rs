//! A source file says first what it is for, what it promises and what it refuses to do.

use super::{Finding, Tree};

pub(crate) fn find(tree: &Tree) -> Vec<Finding> {
    let silent = tree.rust_files().filter(|(file, _)| !file.text.starts_with("//! "));
    silent.map(|(file, _)| Finding::new(&file.path, 1, "does not open with `//!`", "say in a sentence what the file is for")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    #[test]
    fn silent_file_is_found() {
        let files = [("a.rs", "//! Says it.\n"), ("b.rs", "use std::io;\n//! Too late.\n"), ("c.py", "import os\n")];
        assert_eq!(found(find, &files), ["b.rs:1"]);
    }
}
