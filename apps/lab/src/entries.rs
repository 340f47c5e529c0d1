//! What this program is spawned for, by its own examples: processes that begin anew and inherit nothing.

use common::process::Entry;

use crate::lessons;

/// All of it.
pub const ENTRIES: &[Entry] = &[Entry { name: "nothing", run: |_| 0 }, lessons::UNJOINED];
