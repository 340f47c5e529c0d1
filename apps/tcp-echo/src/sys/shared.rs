//! The counters in memory that all processes of the server share.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use memmap2::MmapOptions;
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::stats::Counters;

/// The counters in shared memory, and the descriptor of that memory. They live as long as the process.
#[derive(Debug)]
pub struct SharedCounters {
    /// The counters.
    pub counters: &'static Counters,
    memory: OwnedFd,
}

impl AsFd for SharedCounters {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

/// Fresh zeroed memory. The descriptor is not closed on exec: an executed child finds the memory by its number.
pub(crate) fn create() -> io::Result<SharedCounters> {
    let memory = File::from(memfd_create("tcp-echo counters", MFdFlags::empty())?);
    memory.set_len(size_of::<Counters>() as u64)?;
    map(memory)
}

/// The memory behind an inherited descriptor.
pub(crate) fn inherited(descriptor: RawFd) -> io::Result<SharedCounters> {
    let path = format!("/proc/self/fd/{descriptor}");
    let memory = OpenOptions::new().read(true).write(true).open(path)?;
    if memory.metadata()?.len() != size_of::<Counters>() as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "these are not the counters"));
    }
    map(memory)
}

fn map(memory: File) -> io::Result<SharedCounters> {
    let mapping = Box::leak(Box::new(MmapOptions::new().len(size_of::<Counters>()).map_raw(&memory)?));
    // SAFETY: the mapping is page-aligned, as long as a Counters, zero-filled when it was made (all its fields are
    // atomics, for which zero is a value), never unmapped, and never accessed but through these atomics.
    let counters = unsafe { &*mapping.as_ptr().cast::<Counters>() };
    Ok(SharedCounters { counters, memory: memory.into() })
}
