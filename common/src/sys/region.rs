//! Memory that several processes see, with everything in it that they need to agree: robust mutexes, counters, futex words and
//! bytes.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};
use rustix::fs::{SealFlags, fcntl_add_seals, fcntl_get_seals};

use super::robust::RobustMutex;

/// Each mutex, counter and word has a cache line of its own, so that who writes one does not slow down who reads another.
const LINE: usize = 64;
const PAGE: usize = 4096;
/// Bytes are copied in pieces of this length.
const WORD: usize = 8;
/// The first lines of a region: what it is, and how it is divided, a number each.
const HEADER: usize = 5;
const MAGIC: u64 = u64::from_le_bytes(*b"manyhnd1");
/// Whoever has the descriptor could otherwise shorten the memory, and end by SIGBUS all who look at what is gone.
const AS_LONG_AS_MAPPED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);
/// No part of a region may have more than this.
const PARTS_MAX: usize = 4096;

/// How a region is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Robust mutexes.
    pub mutexes: usize,
    /// Numbers of 64 bits, zero at first.
    pub counters: usize,
    /// Numbers of 32 bits to sleep on, zero at first.
    pub words: usize,
    /// Bytes. The kernel gives them page by page when they are first written to.
    pub bytes: usize,
}

impl Layout {
    fn data_starts(&self) -> usize {
        (LINE * (HEADER + self.mutexes + self.counters + self.words)).next_multiple_of(PAGE)
    }

    fn length(&self) -> usize {
        self.data_starts() + self.bytes
    }

    fn check(&self) -> io::Result<()> {
        let fits = [self.mutexes, self.counters, self.words].iter().all(|parts| *parts <= PARTS_MAX);
        // the sum of the rest is below a few MiB, so this cannot overflow
        let fits = fits && self.bytes <= 1 << 40;
        if fits {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "the region is too large"))
        }
    }
}

/// Shared memory without a name: children that are forked have it, others get its descriptor.
///
/// Whoever has it is trusted with the [mutexes](RobustMutex): the C library keeps pointers in them, and follows those of a mutex that
/// it holds. Counters, words and bytes may become anything at any time, and are to be checked.
#[derive(Debug)]
pub struct Region {
    map: MmapRaw,
    memory: OwnedFd,
    layout: Layout,
}

impl Region {
    /// Makes one; `name` is what `/proc/PID/maps` shows.
    ///
    /// # Errors
    /// The kernel has no memory or descriptor for it, or the layout is too large.
    pub fn create(name: &str, layout: Layout) -> io::Result<Self> {
        layout.check()?;
        let memory = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?);
        memory.set_len(layout.length() as u64)?;
        fcntl_add_seals(&memory, AS_LONG_AS_MAPPED | SealFlags::SEAL)?;
        let region = Self { map: map(&memory, layout.length())?, memory: memory.into(), layout };
        for number in 0..layout.mutexes {
            region.mutex(number).initialise()?;
        }
        let header =
            [MAGIC, layout.mutexes as u64, layout.counters as u64, layout.words as u64, layout.bytes as u64];
        for (i, word) in header.into_iter().enumerate() {
            region.number(i).store(word, Ordering::SeqCst);
        }
        Ok(region)
    }

    /// The region behind a descriptor that came from whoever made it.
    ///
    /// # Errors
    /// It is something else, or the kernel refuses to map it.
    pub fn open(memory: OwnedFd) -> io::Result<Self> {
        let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "this descriptor is no shared region");
        let file = File::from(memory);
        if !fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(AS_LONG_AS_MAPPED)) {
            return Err(nonsense());
        }
        let length = usize::try_from(file.metadata()?.len()).map_err(|_| nonsense())?;
        if length < PAGE {
            return Err(nonsense());
        }
        let empty = Layout { mutexes: 0, counters: 0, words: 0, bytes: 0 };
        let region = Self { map: map(&file, length)?, memory: file.into(), layout: empty };
        let said: [u64; HEADER] = std::array::from_fn(|i| region.number(i).load(Ordering::SeqCst));
        let [_, mutexes, counters, words, bytes] = said.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let layout = Layout { mutexes, counters, words, bytes };
        layout.check()?;
        if said[0] != MAGIC || layout.length() != length {
            return Err(nonsense());
        }
        Ok(Self { layout, ..region })
    }

    /// How it is divided.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// A mutex.
    ///
    /// # Panics
    /// There is none with this number.
    #[must_use]
    #[inline]
    pub fn mutex(&self, number: usize) -> &RobustMutex {
        assert!(number < self.layout.mutexes, "no such mutex");
        // SAFETY: the line is inside the mapping, aligned, used for nothing else, and was initialised before anybody else had
        // the region; UnsafeCell makes changes from elsewhere legal.
        unsafe { &*self.line(HEADER + number).cast::<RobustMutex>() }
    }

    /// A counter.
    ///
    /// # Panics
    /// There is none with this number.
    #[must_use]
    #[inline]
    pub fn counter(&self, number: usize) -> &AtomicU64 {
        assert!(number < self.layout.counters, "no such counter");
        self.number(HEADER + self.layout.mutexes + number)
    }

    /// A word to sleep on.
    ///
    /// # Panics
    /// There is none with this number.
    #[must_use]
    #[inline]
    pub fn word(&self, number: usize) -> &AtomicU32 {
        assert!(number < self.layout.words, "no such word");
        // SAFETY: as for a counter.
        unsafe {
            &*self.line(HEADER + self.layout.mutexes + self.layout.counters + number).cast::<AtomicU32>()
        }
    }

    /// Copies bytes into the region, at this distance (a multiple of 8) from the beginning of its bytes. What follows them up to the
    /// next multiple of 8 becomes zero.
    ///
    /// Who may write when, is agreed by mutexes and counters. Whoever breaks the agreement, in this process or another, gets
    /// wrong bytes, and nothing worse: each 8 of them are an atomic number.
    ///
    /// # Panics
    /// They do not fit, or do not begin at a multiple of 8.
    #[inline]
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let words = self.words(at, bytes.len());
        let (whole, rest) = bytes.as_chunks::<WORD>();
        for (word, bytes) in words.iter().zip(whole) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        if !rest.is_empty() {
            let mut last = [0; WORD];
            last[..rest.len()].copy_from_slice(rest);
            words[whole.len()].store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
    }

    /// Copies bytes out of the region, from this distance (a multiple of 8).
    ///
    /// # Panics
    /// There are not so many, or they do not begin at a multiple of 8.
    #[inline]
    pub fn read(&self, at: usize, into: &mut [u8]) {
        let words = self.words(at, into.len());
        let (whole, rest) = into.as_chunks_mut::<WORD>();
        for (word, bytes) in words.iter().zip(&mut *whole) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        if !rest.is_empty() {
            let last = words[whole.len()].load(Ordering::Relaxed).to_ne_bytes();
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }

    /// The number that stands in a line of the header or of the counters.
    #[inline]
    fn number(&self, line: usize) -> &AtomicU64 {
        // SAFETY: callers have checked that the line is part of the region; it is aligned and holds nothing else; zero is a
        // value, and atomics may change.
        unsafe { &*self.line(line).cast::<AtomicU64>() }
    }

    #[inline]
    fn line(&self, number: usize) -> *mut u8 {
        // SAFETY: callers have checked that the line is part of the region.
        unsafe { self.map.as_mut_ptr().add(number * LINE) }
    }

    /// The words in which so many bytes stand.
    #[inline]
    fn words(&self, at: usize, length: usize) -> &[AtomicU64] {
        let count = length.div_ceil(WORD);
        assert!(at.is_multiple_of(WORD), "not at the beginning of a word");
        assert!(at <= self.layout.bytes && count <= (self.layout.bytes - at) / WORD, "beyond the region");
        // SAFETY: the bytes begin with a page, and `at` is inside them.
        let first = unsafe { self.map.as_mut_ptr().add(self.layout.data_starts() + at) };
        // SAFETY: the words are inside the mapping and aligned; they are used as atomics only, which may change.
        unsafe { slice::from_raw_parts(first.cast::<AtomicU64>(), count) }
    }
}

impl AsFd for Region {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

fn map(memory: &File, length: usize) -> io::Result<MmapRaw> {
    MmapOptions::new().len(length).map_raw(memory)
}

const _: () = assert!(size_of::<RobustMutex>() <= LINE && HEADER * LINE <= PAGE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_whatever_their_number() {
        let layout = Layout { mutexes: 0, counters: 0, words: 0, bytes: 64 };
        let region = Region::create("test", layout).unwrap();
        let bytes: Vec<u8> = (1..=64).collect();
        for length in 0..=56 {
            region.write(0, &[0xff; 64]);
            region.write(8, &bytes[..length]);
            let mut all = [7; 64];
            region.read(0, &mut all);
            let end = 8 + length.next_multiple_of(8);
            assert_eq!((&all[..8], &all[8..][..length]), (&[0xff; 8][..], &bytes[..length]));
            assert!(all[8 + length..end].iter().all(|byte| *byte == 0), "the rest of the word");
            assert!(all[end..].iter().all(|byte| *byte == 0xff), "and nothing behind it");
            let mut some = vec![7; length];
            region.read(8, &mut some);
            assert_eq!(some, &bytes[..length]);
        }
    }

    #[test]
    fn nothing_is_copied_beyond_the_bytes() {
        let layout = Layout { mutexes: 0, counters: 0, words: 0, bytes: 64 };
        let region = Region::create("test", layout).unwrap();
        for (at, length) in [(0, 65), (8, 57), (64, 1), (72, 0), (1, 8), (usize::MAX - 7, 8)] {
            let beyond = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                region.read(at, &mut vec![0; length]);
            }));
            assert!(beyond.is_err(), "{length} at {at}");
        }
    }
}
