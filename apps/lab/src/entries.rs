//! What this program is spawned for, by its own examples: processes that begin anew and inherit nothing.

use common::process::Entry;

use crate::lessons::{self, globals, leaving};

/// All of it.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "nothing", run: |_| 0 },
    Entry { name: globals::ENTRY, run: globals::spawned },
    Entry { name: leaving::ENTRY, run: leaving::spawned },
    lessons::UNJOINED,
];
