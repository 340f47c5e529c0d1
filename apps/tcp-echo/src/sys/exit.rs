//! Ending as a broken program ends.

/// Ends the process as a wild pointer would: `--faults` was asked for it.
pub(crate) fn by_memory_fault() -> ! {
    // SAFETY: no page is mapped at address 8 (the kernel forbids it to programs), so the write changes nothing: the
    // processor refuses it, and the kernel kills the process.
    unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(0) };
    std::process::abort()
}
