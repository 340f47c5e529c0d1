//! Why a value was not put or not got: what [`queue`](super::queue) and [`pipe`](super::pipe) answer.

use std::fmt::{self, Display, Formatter};
use std::io;

/// Why a value was not put into a queue or not sent. It is given back.
#[derive(Debug)]
pub enum PutError<T> {
    /// There was no room, in the time that was given.
    Full(T),
    /// The queue was closed, or the other end of the pipe is gone.
    Closed(T),
    /// As bytes it is longer than all the room.
    TooLarge {
        /// The value.
        item: T,
        /// The longest message that fits, in bytes.
        most: usize,
    },
    /// It cannot be turned into bytes.
    Unserializable {
        /// The value.
        item: T,
        /// What the serialiser says.
        why: postcard::Error,
    },
    /// The kernel refused, or another program wrote to the memory.
    Broken {
        /// The value.
        item: T,
        /// What failed.
        why: io::Error,
    },
}

/// Why no value was got from a queue or received.
#[derive(Debug)]
pub enum GetError {
    /// There is none, in the time that was given.
    Empty,
    /// There is none and there will be none: the queue was closed, or the other end of the pipe is gone.
    Ended,
    /// There was one of another type. It is gone.
    OtherType(postcard::Error),
    /// The kernel refused, or another program wrote to the memory.
    Broken(io::Error),
}

impl<T> PutError<T> {
    /// The value.
    pub fn into_item(self) -> T {
        match self {
            Self::Full(item) | Self::Closed(item) => item,
            Self::TooLarge { item, .. } | Self::Unserializable { item, .. } | Self::Broken { item, .. } => {
                item
            }
        }
    }
}

impl<T> Display for PutError<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("no room"),
            Self::Closed(_) => f.write_str("closed, or nobody is at the other end"),
            Self::TooLarge { most, .. } => {
                write!(f, "longer than the longest message that fits: {most} bytes")
            }
            Self::Unserializable { why, .. } => write!(f, "the value cannot be turned into bytes: {why}"),
            Self::Broken { why, .. } => write!(f, "broken: {why}"),
        }
    }
}

impl Display for GetError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty"),
            Self::Ended => f.write_str("ended"),
            Self::OtherType(why) => write!(f, "a value of another type: {why}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

impl<T: fmt::Debug> std::error::Error for PutError<T> {}

impl std::error::Error for GetError {}
