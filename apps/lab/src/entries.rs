//! What this program is spawned for, by its own examples: processes that begin anew and inherit nothing.

use common::process::Entry;

use crate::lessons::globals::spawn;
use crate::lessons::pool::unjoined;
use crate::lessons::thread::leaving;

/// All of it.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "nothing", run: |_| 0 },
    Entry { name: spawn::ENTRY, run: spawn::spawned },
    Entry { name: leaving::ENTRY, run: leaving::spawned },
    Entry { name: unjoined::ENTRY, run: unjoined::spawned },
];
