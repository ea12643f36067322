//! How many descriptors this process, and what it starts, may have.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit as far as one may.
///
/// # Errors
/// When that is still less than `wanted`: to measure fewer connections than a line says would be another line.
pub(crate) fn raise(wanted: u64) -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|maximum| maximum < wanted) {
        let maximum = limit.maximum.unwrap_or_default();
        return Err(io::Error::other(format!("{wanted} descriptors are needed, and the hard limit is {maximum} (ulimit -Hn)")));
    }
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
