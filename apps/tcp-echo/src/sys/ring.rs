//! An io_uring with a ring of buffers from which the kernel takes one when data arrives.
//!
//! The operations that are offered here are safe to call in any order, because all memory that the kernel may touch lives as
//! long as the process ([`Buffers`]), or is kept alive by an [`Outgoing`] until its operation has ended.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};
use memmap2::{Advice, MmapOptions, MmapRaw};

/// The group number of the one ring of buffers.
const GROUP: u16 = 0;
/// So many buffers are in use at first. The kernel goes round the ring, so all that are in it are touched in turn: few of them stay in
/// the processor's cache.
const OFFERED_FIRST: u16 = 64;
/// Operations that are told to the kernel at a time; more are told in between.
const SUBMISSIONS: u32 = 1024;
/// Completions that the kernel can tell before we look; more wait in the kernel.
const COMPLETIONS: u32 = 8192;

/// The ring.
pub(crate) struct Ring {
    ring: IoUring,
    buffers: Buffers,
    /// Where the kernel puts what it reads from a descriptor that wakes us; nobody looks at it.
    woken: NonNull<u64>,
}

/// What has become of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Completion {
    /// What the operation was given as its tag.
    pub(crate) tag: u64,
    /// A number of bytes or a descriptor, or an error number with a minus sign.
    pub(crate) result: i32,
    /// The operation goes on and will complete again.
    pub(crate) more: bool,
    buffer: Option<u16>,
}

/// A buffer that the kernel has filled, until it is given back. It has no copy, so nobody uses it twice.
#[derive(Debug)]
pub(crate) struct Filled {
    number: u16,
    /// How many bytes the kernel put there.
    pub(crate) length: usize,
}

/// Bytes of our own that are being sent. If it is dropped before its operation has ended, its memory is never given
/// back: better that than the kernel reading what is somebody else's by then.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Option<Box<[u8]>>,
    in_flight: bool,
}

impl Outgoing {
    pub(crate) fn new(bytes: Box<[u8]>) -> Self {
        Self { bytes: Some(bytes), in_flight: false }
    }

    /// The operation that sends it has ended.
    pub(crate) fn landed(&mut self) {
        self.in_flight = false;
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.bytes.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if self.in_flight {
            std::mem::forget(self.bytes.take());
        }
    }
}

impl Completion {
    /// The result, or the error that it is.
    pub(crate) fn outcome(&self) -> io::Result<i32> {
        if self.result < 0 { Err(io::Error::from_raw_os_error(-self.result)) } else { Ok(self.result) }
    }

    /// The buffer that came with it. Once: whoever takes it gives it back.
    pub(crate) fn take_buffer(&mut self) -> Option<Filled> {
        let length = usize::try_from(self.result).unwrap_or(0);
        self.buffer.take().map(|number| Filled { number, length })
    }
}

impl Ring {
    /// A ring for the calling thread, and for no other, with `count` (a power of two) buffers of `size` bytes.
    ///
    /// # Errors
    /// What the kernel says: it may be too old, or forbid it.
    pub(crate) fn new(count: u16, size: usize) -> io::Result<&'static mut Self> {
        let ring = IoUring::builder()
            .setup_cqsize(COMPLETIONS)
            // only this thread submits, and completions are made when it asks for them, not whenever they come
            .setup_single_issuer()
            .setup_defer_taskrun()
            .dontfork()
            .build(SUBMISSIONS)?;
        let buffers = Buffers::new(count, size)?;
        // SAFETY: the memory is page-aligned, zeroed, large enough for `count` entries, and lives as long as the process.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(buffers.ring.as_ptr() as u64, count, GROUP, 0)
        }?;
        let woken = NonNull::from(Box::leak(Box::new(0u64)));
        // for ever, because the kernel may use its memory at any time
        Ok(Box::leak(Box::new(Self { ring, buffers, woken })))
    }

    /// Tells the kernel what is wanted, and waits until something has completed, for so long at most.
    ///
    /// # Errors
    /// The ring cannot be used any more.
    pub(crate) fn submit_and_wait(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        let submitter = self.ring.submitter();
        let outcome = match at_most {
            None => submitter.submit_and_wait(1),
            Some(span) => {
                let span = Timespec::new().sec(span.as_secs()).nsec(span.subsec_nanos());
                submitter.submit_with_args(1, &SubmitArgs::new().timespec(&span))
            }
        };
        match outcome {
            Ok(_) => Ok(()),
            // time is up; a signal; completions wait to be looked at first
            Err(e) if matches!(e.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Puts what has completed into `into`.
    pub(crate) fn collect(&mut self, into: &mut Vec<Completion>) {
        into.extend(self.ring.completion().map(|done| Completion {
            tag: done.user_data(),
            result: done.result(),
            more: cqueue::more(done.flags()),
            buffer: cqueue::buffer_select(done.flags()),
        }));
    }

    /// Accepts again and again, until it says that it has ended.
    pub(crate) fn accept(&mut self, listener: &impl AsRawFd, tag: u64) {
        let accept = opcode::AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
        self.push(accept.build(), tag);
    }

    /// Completes when there is something to read or accept.
    pub(crate) fn watch(&mut self, file: &impl AsRawFd, tag: u64) {
        self.push(opcode::PollAdd::new(Fd(file.as_raw_fd()), libc::POLLIN as u32).build(), tag);
    }

    /// Receives into buffers that the kernel chooses: again and again, or once.
    pub(crate) fn receive(&mut self, socket: RawFd, again_and_again: bool, tag: u64) {
        let entry = if again_and_again {
            opcode::RecvMulti::new(Fd(socket), GROUP).build()
        } else {
            let length = self.buffers.size as u32;
            opcode::Recv::new(Fd(socket), std::ptr::null_mut(), length)
                .buf_group(GROUP)
                .build()
                .flags(Flags::BUFFER_SELECT)
        };
        self.push(entry, tag);
    }

    /// Sends these bytes of a buffer, as far as that goes at once: `EAGAIN` if not at all.
    pub(crate) fn send(&mut self, socket: RawFd, filled: &Filled, from: usize, to: usize, tag: u64) {
        let bytes = &self.buffers.bytes(filled)[from..to];
        let send = opcode::Send::new(Fd(socket), bytes.as_ptr(), bytes.len() as u32)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
        self.push(send.build(), tag);
    }

    /// Sends these bytes, and waits until some of them can be.
    pub(crate) fn send_patiently(
        &mut self,
        socket: RawFd,
        outgoing: &mut Outgoing,
        from: usize,
        to: usize,
        tag: u64,
    ) {
        outgoing.in_flight = true;
        let bytes = &outgoing.bytes()[from..to];
        let send =
            opcode::Send::new(Fd(socket), bytes.as_ptr(), bytes.len() as u32).flags(libc::MSG_NOSIGNAL);
        self.push(send.build(), tag);
    }

    /// Reads the 8 bytes that an eventfd has to tell, whatever they are.
    pub(crate) fn hear(&mut self, eventfd: &impl AsRawFd, tag: u64) {
        let read = opcode::Read::new(Fd(eventfd.as_raw_fd()), self.woken.as_ptr().cast(), 8);
        self.push(read.build(), tag);
    }

    /// Ends an operation: it completes with `ECANCELED`, or has completed by then.
    pub(crate) fn cancel(&mut self, operation: u64, tag: u64) {
        self.push(opcode::AsyncCancel::new(operation).build(), tag);
    }

    /// What the kernel put into a buffer.
    pub(crate) fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        let length = filled.length;
        &mut self.buffers.bytes(filled)[..length]
    }

    /// The kernel may use this buffer again. (No operation sends from it any more.)
    pub(crate) fn give_back(&mut self, filled: Filled) {
        self.buffers.offer(filled.number);
    }

    /// There were not enough buffers: from now on twice as many are in use, if there are so many.
    pub(crate) fn use_more_buffers(&mut self) {
        let offered = self.buffers.offered;
        self.buffers.offer_more(offered);
    }

    fn push(&mut self, entry: Entry, tag: u64) {
        let entry = entry.user_data(tag);
        loop {
            // SAFETY: what the entry points to lives as long as the process, or is an `Outgoing`, which is kept until the
            // operation has ended; a descriptor that is closed by now makes an error and nothing worse.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            // full: the kernel takes them all, or has completions that must be looked at before
            if self.ring.submit().is_err() {
                std::thread::yield_now();
            }
        }
    }
}

/// The ring of buffers: the kernel takes from its head, we put to its tail.
struct Buffers {
    ring: MmapRaw,
    memory: MmapRaw,
    count: u16,
    size: usize,
    tail: u16,
    /// So many of them are in use: the kernel's or ours.
    offered: u16,
}

impl Buffers {
    fn new(count: u16, size: usize) -> io::Result<Self> {
        let length = usize::from(count) * size_of::<BufRingEntry>();
        let ring: MmapRaw = MmapOptions::new().len(length).map_anon()?.into();
        let memory: MmapRaw = MmapOptions::new().len(usize::from(count) * size).map_anon()?.into();
        // a huge page would be touched as a whole by the first message
        let _ = memory.advise(Advice::NoHugePage);
        let mut buffers = Self { ring, memory, count, size, tail: 0, offered: 0 };
        buffers.offer_more(count.min(OFFERED_FIRST));
        Ok(buffers)
    }

    /// Offers so many that have never been offered, as far as there are any.
    fn offer_more(&mut self, more: u16) {
        let last = self.offered.saturating_add(more).min(self.count);
        (self.offered..last).for_each(|number| self.offer(number));
        self.offered = last;
    }

    /// A buffer that is not the kernel's: whoever has the [`Filled`] is alone with it.
    fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        let start = self.memory.as_mut_ptr().wrapping_add(usize::from(filled.number) * self.size);
        // SAFETY: the number came from the kernel, which knows `count` of them, so the range lies in the mapping; the kernel
        // has given this buffer to us and does not write to it before it is offered again.
        unsafe { std::slice::from_raw_parts_mut(start, self.size) }
    }

    fn offer(&mut self, number: u16) {
        let entries = self.ring.as_mut_ptr().cast::<BufRingEntry>();
        let place = entries.wrapping_add(usize::from(self.tail & (self.count - 1)));
        let address = self.memory.as_ptr() as u64 + (usize::from(number) * self.size) as u64;
        // SAFETY: the place lies in the mapping of `count` entries; the kernel does not read it before the tail passes it.
        let entry = unsafe { &mut *place };
        entry.set_addr(address);
        entry.set_len(self.size as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the pointer is that of the first entry of a ring that lives as long as the process.
        let tail = unsafe { BufRingEntry::tail(entries) };
        // SAFETY: the tail is an aligned u16 in that mapping, which the kernel reads and only we write.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // the entry must be there before the kernel sees that it is
        tail.store(self.tail, Ordering::Release);
    }
}
