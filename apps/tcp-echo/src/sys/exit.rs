//! Leaving at once: no destructor, no atexit handler, no flush of what the parent had buffered.

/// Ends the process. A forked child must leave this way: it holds a copy of everything its parent still needs.
#[inline]
pub(crate) fn at_once(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}
