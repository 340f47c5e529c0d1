//! How the parent and one worker talk: a pair of sockets that keeps messages whole. The parent passes connections (the
//! descriptor as SCM_RIGHTS, the client's address as text); the worker answers with one byte.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use common::descriptor;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, send,
    sendmsg, socketpair,
};

use crate::handler::Connection;

/// The longest address: `[ffff:…:ffff%4294967295]:65535`.
const ADDRESS_MAX: usize = 80;

/// One end.
pub(crate) struct Channel(OwnedFd);

/// What a worker says; to the parent, also what its silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// "I have the connection": the parent may close its copy.
    Taken,
    /// "It is over": I am free.
    Done,
    /// Nothing was said.
    Nothing,
    /// The worker is dead.
    Gone,
}

impl Channel {
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(a), Self(b)))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Passes a connection; our own copy stays open.
    pub(super) fn pass(&self, connection: &Connection) -> io::Result<()> {
        let address = connection.peer.to_string();
        let descriptors = [connection.stream.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let text = [IoSlice::new(address.as_bytes())];
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        loop {
            match sendmsg::<()>(self.0.as_raw_fd(), &text, &rights, flags, None) {
                Err(Errno::EINTR) => {}
                other => return Ok(other.map(drop)?),
            }
        }
    }

    /// Waits for a connection; `None` when the parent has closed the channel, or when `give_up` says so after a signal.
    pub(super) fn receive(&self, give_up: impl Fn() -> bool) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let mut address = [0; ADDRESS_MAX];
        let mut room = cmsg_space!([i32; 1]);
        let mut text = [IoSliceMut::new(&mut address)];
        let (length, stream) = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut text, Some(&mut room), MsgFlags::MSG_CMSG_CLOEXEC) {
                Ok(message) => {
                    let stream = message.cmsgs()?.find_map(|control| match control {
                        ControlMessageOwned::ScmRights(numbers) => {
                            numbers.first().map(|n| descriptor::adopt(*n))
                        }
                        _ => None,
                    });
                    break (message.bytes, stream);
                }
                Err(Errno::EINTR) if give_up() => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        };
        if length == 0 && stream.is_none() {
            return Ok(None);
        }
        let stream = stream.ok_or_else(|| io::Error::from(Errno::EMFILE))?;
        let peer = std::str::from_utf8(&address[..length]).ok().and_then(|text| text.parse().ok());
        let peer = peer.ok_or_else(|| io::Error::from(Errno::EBADMSG))?;
        Ok(Some((TcpStream::from(stream), peer)))
    }

    /// A worker that accepted for itself is free for what the parent has.
    pub(crate) fn say_free(&self) -> io::Result<()> {
        self.say(Word::Done)
    }

    /// A worker says one word to its parent.
    pub(super) fn say(&self, word: Word) -> io::Result<()> {
        let byte = if word == Word::Taken { b'T' } else { b'D' };
        loop {
            match send(self.0.as_raw_fd(), &[byte], MsgFlags::MSG_NOSIGNAL) {
                Err(Errno::EINTR) => {}
                other => return Ok(other.map(drop)?),
            }
        }
    }

    /// The next word, without waiting for one.
    pub(super) fn hear(&self) -> Word {
        let mut byte = [0];
        match recv(self.0.as_raw_fd(), &mut byte, MsgFlags::MSG_DONTWAIT) {
            Ok(1) if byte[0] == b'T' => Word::Taken,
            Ok(1) => Word::Done,
            Err(Errno::EAGAIN | Errno::EINTR) => Word::Nothing,
            Ok(_) | Err(_) => Word::Gone,
        }
    }
}
