//! How many connections this process may hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connection of a scenario, here and in the servers, who inherit the limit.
const RESERVED: u64 = 400;

/// Raises the soft limit to the hard one, for this process and those it starts; returns how many
/// connections there is room for.
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    files.map_or(usize::MAX, |files| {
        usize::try_from(files.saturating_sub(RESERVED)).unwrap_or(usize::MAX)
    })
}
