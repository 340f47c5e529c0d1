//! THE SEAM: moves bytes between a socket and a session.
//!
//! One function for every model. A blocking socket never says `WouldBlock`, unless its time limit has passed; a
//! non-blocking one says it when it has nothing. So the same loop serves both, and only the caller knows the
//! difference: for a thread `Blocked` means "too late", for an event loop "later".
//!
//! It costs one inlined match a system call (`cargo bench -p tcp-echo` measures it against a bare read/write loop).
//! Buffers belong to whoever runs: a session that owned one would cost memory for every idle connection.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};

use crate::session::{Session, Want};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The buffer was filled and all of it echoed: there is probably more to read.
    Full,
    /// Less than a buffer was there and all of it was echoed, or the write side was shut down: another time limit
    /// runs from now on.
    Short,
    /// The reply has to wait so long: then tell [`Session::waited`] and take another turn.
    Wait(Duration),
    /// The socket would block, or its time limit has passed.
    Blocked,
    /// The session is over: close the socket.
    Closed,
}

/// What a session is driven over.
pub trait Socket: Read + Write {
    /// Shuts down the write side: the peer sees the end of the stream.
    ///
    /// # Errors
    /// As `shutdown(2)`; not connected any more is the usual one.
    fn finish(&self) -> io::Result<()>;
}

impl<S: Socket> Socket for &mut S {
    fn finish(&self) -> io::Result<()> {
        (**self).finish()
    }
}

/// A socket whose calls go straight to the kernel. The C library makes `recv` and `send` points at which a thread may be
/// cancelled, and that costs a program with threads two atomic operations a call; nobody here cancels a thread.
#[derive(Debug, Clone, Copy)]
pub struct Direct<'a>(BorrowedFd<'a>);

impl<'a> Direct<'a> {
    /// The calls of this socket.
    pub fn of(socket: &'a impl AsFd) -> Self {
        Self(socket.as_fd())
    }
}

impl Read for Direct<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(recv(self.0, buffer, RecvFlags::empty())?.0)
    }
}

impl Write for Direct<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Direct<'_> {
    fn finish(&self) -> io::Result<()> {
        Ok(shutdown(self.0, Shutdown::Write)?)
    }
}

/// Writes what is left of a reply, and reads nothing: for a reply in memory of its own, which is no buffer to read into. `false`
/// if the socket would block.
///
/// # Errors
/// As [`turn`].
pub fn write_reply(session: &mut Session, reply: &[u8], mut socket: impl Socket) -> io::Result<bool> {
    while let Want::Write(range) = session.want() {
        match socket.write(&reply[range]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => session.sent(n),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// One read and all its writes.
///
/// # Errors
/// The connection is broken (reset by the peer, most often): close it, the session is over.
pub fn turn(session: &mut Session, buffer: &mut [u8], mut socket: impl Socket) -> io::Result<Turn> {
    let mut read = None;
    loop {
        let progress = match session.want() {
            Want::Read => match read {
                Some(n) if n == buffer.len() => return Ok(Turn::Full),
                Some(_) => return Ok(Turn::Short),
                None => socket.read(buffer).map(|n| {
                    read = Some(n);
                    if let Some(fault) = session.received(&mut buffer[..n]) {
                        fault.commit();
                    }
                }),
            },
            Want::Write(range) => match socket.write(&buffer[range]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    session.sent(n);
                    Ok(())
                }
                Err(e) => Err(e),
            },
            Want::Wait(span) => return Ok(Turn::Wait(span)),
            Want::Finish => {
                socket.finish()?;
                session.finished();
                return Ok(Turn::Short);
            }
            Want::Close => return Ok(Turn::Closed),
        };
        match progress {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Turn::Blocked),
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    use crate::work::Work;

    const WAITING: Work = Work::Wait(Duration::from_secs(1));

    /// What a scripted socket does at its next call.
    #[derive(Debug, Clone)]
    enum Step {
        Take(usize),
        Interrupt,
        Block,
    }

    /// A socket that gives and takes as its script says; when the script is over it takes all.
    struct Scripted {
        input: VecDeque<u8>,
        output: Vec<u8>,
        script: VecDeque<Step>,
    }

    impl Scripted {
        fn limit(&mut self) -> io::Result<usize> {
            match self.script.pop_front() {
                None => Ok(usize::MAX),
                Some(Step::Take(n)) => Ok(n),
                Some(Step::Interrupt) => Err(ErrorKind::Interrupted.into()),
                Some(Step::Block) => Err(ErrorKind::WouldBlock.into()),
            }
        }
    }

    impl Read for Scripted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.limit()?.min(buffer.len()).min(self.input.len());
            for slot in &mut buffer[..n] {
                *slot = self.input.pop_front().unwrap();
            }
            Ok(n)
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = self.limit()?.min(bytes.len());
            self.output.extend_from_slice(&bytes[..n]);
            Ok(n)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Socket for Scripted {
        fn finish(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn steps() -> impl Strategy<Value = VecDeque<Step>> {
        let step = prop_oneof![
            4 => (1usize..30).prop_map(Step::Take),
            1 => Just(Step::Interrupt),
            1 => Just(Step::Block),
        ];
        prop::collection::vec(step, 0..80).prop_map(Into::into)
    }

    proptest! {
        #[test]
        fn every_byte_comes_back_however_the_socket_behaves(
            input in prop::collection::vec(any::<u8>(), 0..400), script in steps(), size in 1usize..64,
            work in prop_oneof![Just(&Work::None), Just(&WAITING)],
        ) {
            let mut socket = Scripted { input: input.clone().into(), output: Vec::new(), script };
            let (mut session, mut buffer) = (Session::new(false, work), vec![0; size]);
            // a script blocks at most 80 times and every other turn moves a byte or ends
            for _ in 0..1200 {
                match turn(&mut session, &mut buffer, &mut socket).unwrap() {
                    Turn::Closed => break,
                    Turn::Wait(_) => session.waited(),
                    Turn::Full | Turn::Short | Turn::Blocked => {}
                }
            }
            prop_assert_eq!(session.want(), Want::Close);
            prop_assert_eq!(session.echoed(), input.len() as u64);
            prop_assert_eq!(socket.output, input);
        }
    }

    #[test]
    fn a_turn_tells_whether_more_is_likely() {
        let mut socket = Scripted { input: (0..6).collect(), output: vec![], script: VecDeque::new() };
        let (mut session, mut buffer) = (Session::new(false, &Work::None), [0; 4]);
        assert_eq!(turn(&mut session, &mut buffer, &mut socket).unwrap(), Turn::Full);
        assert_eq!(turn(&mut session, &mut buffer, &mut socket).unwrap(), Turn::Short);
        assert_eq!(turn(&mut session, &mut buffer, &mut socket).unwrap(), Turn::Closed);
    }
}
