//! Why a call to a shared object did nothing.

use std::fmt::{self, Display, Formatter};
use std::io;

use super::messages::Refusal;
use super::{CONNECTIONS_MAX, MESSAGE_MAX, OBJECTS_MAX, VALUES_MAX};

/// Why a call did nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The manager's process has ended, or has not answered for [`ANSWER_MAX`](super::ANSWER_MAX). (Whether it had done what it was
    /// asked for, nobody can tell.)
    Gone,
    /// The secret is wrong, or one of the two processes is another user's.
    Refused,
    /// [`CONNECTIONS_MAX`] threads and processes use the manager.
    TooManyConnections,
    /// It has [`OBJECTS_MAX`] objects.
    TooManyObjects,
    /// A message with this value, or with all that was asked for, would be longer than [`MESSAGE_MAX`].
    TooLarge,
    /// All values together would be larger than [`VALUES_MAX`].
    NoRoom,
    /// The manager has no such object, or it is of another kind.
    NoSuchObject,
    /// The list is shorter.
    OutOfRange,
    /// The queue had no room, in the time that was given.
    Full,
    /// The queue had no item, in the time that was given.
    Empty,
    /// The queue was closed: nothing may be put any more.
    Closed,
    /// The queue was closed and is empty: there will be no item.
    Ended,
    /// Somebody else held the lock, for all the time that was given.
    Locked,
    /// What was got is a value of another type.
    OtherType(postcard::Error),
    /// The value cannot be turned into bytes.
    Unserializable(postcard::Error),
    /// The kernel refused.
    System(io::Error),
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the manager is gone"),
            Self::Refused => f.write_str("refused: another manager's secret, or another user's process"),
            Self::TooManyConnections => write!(f, "the manager serves {CONNECTIONS_MAX} clients already"),
            Self::TooManyObjects => write!(f, "the manager has {OBJECTS_MAX} objects already"),
            Self::TooLarge => write!(f, "a message would be longer than {MESSAGE_MAX} bytes"),
            Self::NoRoom => write!(f, "all values together would be larger than {VALUES_MAX} bytes"),
            Self::NoSuchObject => f.write_str("the manager has no such object"),
            Self::OutOfRange => f.write_str("the list is shorter"),
            Self::Full => f.write_str("full"),
            Self::Empty => f.write_str("empty"),
            Self::Closed => f.write_str("closed"),
            Self::Ended => f.write_str("ended"),
            Self::Locked => f.write_str("somebody else holds the lock"),
            Self::OtherType(why) => write!(f, "a value of another type: {why}"),
            Self::Unserializable(why) => write!(f, "the value cannot be turned into bytes: {why}"),
            Self::System(why) => write!(f, "the kernel refused: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stranger => Self::Refused,
            Refusal::Connections => Self::TooManyConnections,
            Refusal::Objects => Self::TooManyObjects,
            Refusal::NoRoom => Self::NoRoom,
            Refusal::TooLarge => Self::TooLarge,
            Refusal::NoSuchObject | Refusal::NotHeld => Self::NoSuchObject,
            Refusal::OutOfRange => Self::OutOfRange,
            Refusal::Full => Self::Full,
            Refusal::Empty => Self::Empty,
            Refusal::Closed => Self::Closed,
            Refusal::Ended => Self::Ended,
            Refusal::Locked => Self::Locked,
        }
    }
}
