//! Every buffer that the server will ever use, reserved at the start: bounded, and never allocated while it serves.
//!
//! A page of the reserve takes memory only once it has been written to, so an idle connection that exchanged small
//! messages costs one page of its 16 KiB. (A zeroed heap buffer would touch them all, and so would one on a thread's
//! stack, by the compiler's stack probes.)

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

use memmap2::{Advice, MmapOptions};

/// The reserve.
#[derive(Debug)]
pub struct Buffers {
    size: usize,
    stock: Mutex<Stock>,
}

#[derive(Debug)]
struct Stock {
    /// Buffers that came back; the last one first, its pages are warm.
    returned: Vec<&'static mut [u8]>,
    untouched: &'static mut [u8],
}

impl Buffers {
    /// Reserves `count` buffers of `size` bytes. Once in a process: the reserve lives as long as it does.
    ///
    /// # Errors
    /// The address space has no room for them.
    pub fn reserve(count: usize, size: usize) -> io::Result<Self> {
        let length = count.checked_mul(size).ok_or(io::ErrorKind::OutOfMemory)?;
        let untouched: &'static mut [u8] = if length == 0 { &mut [] } else { reserve(length)? };
        Ok(Self { size, stock: Mutex::new(Stock { returned: Vec::new(), untouched }) })
    }

    /// Takes one out until it is dropped; `None` if all are in use.
    pub fn take(&'static self) -> Option<Buffer> {
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = stock.returned.pop().or_else(|| {
            let untouched = std::mem::take(&mut stock.untouched);
            let (first, rest) = untouched.split_at_mut_checked(self.size)?;
            stock.untouched = rest;
            Some(first)
        })?;
        Some(Buffer { memory, home: self })
    }
}

fn reserve(length: usize) -> io::Result<&'static mut [u8]> {
    let mapping = Box::leak(Box::new(MmapOptions::new().len(length).no_reserve_swap().map_anon()?));
    // a huge page would make every idle connection cost 2 MiB; a kernel without huge pages refuses the advice
    let _ = mapping.advise(Advice::NoHugePage);
    Ok(mapping)
}

/// A buffer in use.
#[derive(Debug)]
pub struct Buffer {
    memory: &'static mut [u8],
    home: &'static Buffers,
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.memory
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut stock = self.home.stock.lock().unwrap_or_else(PoisonError::into_inner);
        stock.returned.push(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_were_reserved_and_they_come_back() {
        let buffers = Box::leak(Box::new(Buffers::reserve(3, 100).unwrap()));
        let mut taken: Vec<Buffer> = std::iter::from_fn(|| buffers.take()).collect();
        assert_eq!(taken.len(), 3);
        for (i, buffer) in taken.iter_mut().enumerate() {
            buffer.fill(i as u8);
        }
        assert!(taken.iter().enumerate().all(|(i, b)| b.len() == 100 && b.iter().all(|x| *x == i as u8)));
        taken.pop();
        assert!(buffers.take().is_some());
    }
}
