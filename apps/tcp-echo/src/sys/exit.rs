//! Leaving at once: no destructor, no atexit handler, no flush of what the parent had buffered.

/// The exit code of a handler process that panicked.
pub(crate) const PANICKED: i32 = 101;

/// Ends the process. A forked child must leave this way: it holds a copy of everything its parent still needs.
#[inline]
pub(crate) fn at_once(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// Ends the process as a wild pointer would: `--faults` was asked for it.
pub(crate) fn by_memory_fault() -> ! {
    // SAFETY: no page is mapped at address 8 (the kernel forbids it to programs), so the write changes nothing: the
    // processor refuses it, and the kernel kills the process.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
    std::process::abort()
}
