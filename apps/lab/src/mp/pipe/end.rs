//! A pipe that goes both ways: two directions, and one end of each together.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ROOM, Receiver, Sender, one_way_with_room};
use crate::mp::error::{GetError, PutError};

/// An end that sends `A` and receives `B`.
#[derive(Debug)]
pub struct End<A, B> {
    sender: Sender<A>,
    receiver: Receiver<B>,
}

/// A pipe that goes both ways, with room for [`ROOM`] bytes in each direction.
///
/// # Errors
/// The kernel has no memory or descriptors for it.
pub fn duplex<A, B>() -> io::Result<(End<A, B>, End<B, A>)> {
    duplex_with_room(ROOM)
}

/// A pipe that goes both ways, with room for so many bytes in each direction: rounded up to a power of two, from 4 KiB to 1 GiB.
///
/// # Errors
/// As [`duplex`]; or more than 1 GiB.
pub fn duplex_with_room<A, B>(bytes: usize) -> io::Result<(End<A, B>, End<B, A>)> {
    let (there, arrives_there) = one_way_with_room(bytes)?;
    let (back, arrives_here) = one_way_with_room(bytes)?;
    let one = End { sender: there, receiver: arrives_here };
    Ok((one, End { sender: back, receiver: arrives_there }))
}

impl<A, B> End<A, B> {
    /// The end behind the descriptors that came from another process, in the order of [`Self::descriptors`].
    ///
    /// # Errors
    /// They are something else, or of a pipe for other values.
    pub fn open([memory, bell, memory_back, bell_back]: [OwnedFd; 4]) -> io::Result<Self> {
        let sender = Sender::open([memory, bell])?;
        Ok(Self { sender, receiver: Receiver::open([memory_back, bell_back])? })
    }

    /// For a process that is not forked: two of the direction in which this end sends, two of the other. This process then has
    /// to [close](Self::close) its own copy.
    ///
    /// # Errors
    /// This end is closed.
    pub fn descriptors(&self) -> io::Result<[BorrowedFd<'_>; 4]> {
        let [memory, bell] = self.sender.descriptors()?;
        let [memory_back, bell_back] = self.receiver.descriptors()?;
        Ok([memory, bell, memory_back, bell_back])
    }

    /// Closes this process's copy of this end. Dropping it does the same.
    pub fn close(&mut self) {
        self.sender.close();
        self.receiver.close();
    }

    /// Takes it apart: one thread may send while another receives.
    #[must_use]
    pub fn into_halves(self) -> (Sender<A>, Receiver<B>) {
        (self.sender, self.receiver)
    }

    /// As [`Receiver::poll`].
    ///
    /// # Errors
    /// The kernel refused.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<bool> {
        self.receiver.poll(timeout)
    }
}

impl<A: Serialize, B> End<A, B> {
    /// As [`Sender::send`].
    ///
    /// # Errors
    /// All of [`PutError`] but `Full`.
    pub fn send(&mut self, item: A) -> Result<(), PutError<A>> {
        self.sender.send(item)
    }

    /// As [`Sender::try_send`].
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn try_send(&mut self, item: A) -> Result<(), PutError<A>> {
        self.sender.try_send(item)
    }

    /// As [`Sender::send_within`].
    ///
    /// # Errors
    /// See [`PutError`].
    pub fn send_within(&mut self, item: A, span: Duration) -> Result<(), PutError<A>> {
        self.sender.send_within(item, span)
    }
}

impl<A, B: DeserializeOwned> End<A, B> {
    /// As [`Receiver::recv`].
    ///
    /// # Errors
    /// All of [`GetError`] but `Empty`.
    pub fn recv(&mut self) -> Result<B, GetError> {
        self.receiver.recv()
    }

    /// As [`Receiver::try_recv`].
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn try_recv(&mut self) -> Result<B, GetError> {
        self.receiver.try_recv()
    }

    /// As [`Receiver::recv_within`].
    ///
    /// # Errors
    /// See [`GetError`].
    pub fn recv_within(&mut self, span: Duration) -> Result<B, GetError> {
        self.receiver.recv_within(span)
    }
}
