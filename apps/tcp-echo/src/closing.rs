//! Closing the door: whose handshake is over is served, and who comes later is not let in first and thrown out then.
//!
//! A client that connects is told that it succeeded by the kernel, long before the server accepts it. A listener that is closed resets
//! all those who wait in its backlog; so they are accepted first. But between the last `accept` and the close there is always room for
//! one more client, and with models that fork, more than that: the listener is only gone when the youngest child has closed its copy.
//! So the kernel is told before to leave new SYNs unanswered (a filter on the listener, as `setsockopt(SO_ATTACH_FILTER)` takes it). Who
//! is turned away that way believes nothing: its own kernel asks again a second later, and then nobody listens.

use std::collections::VecDeque;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{SockFilter, SockRef};

use crate::accept::{Verdict, verdict};
use crate::server::Server;
use crate::sys::backlog;

/// The backlogs are emptied for at most this long.
const BACKLOG_TIME: Duration = Duration::from_millis(80);
/// For handshakes that are under way. (It is enough for a local network; from further away, a client whose last part of the handshake
/// comes later than this is reset, as it always was.)
const HANDSHAKE: Duration = Duration::from_millis(2);

/// What a listener lets through: all but segments with SYN and without ACK. The first byte that it sees is the first one of the TCP header.
const NO_NEW_CLIENTS: [SockFilter; 5] = [
    // A = the byte with the flags
    SockFilter::new((libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16, 0, 0, 13),
    // A = A & (SYN | ACK)
    SockFilter::new((libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16, 0, 0, 0x12),
    // if A == SYN
    SockFilter::new((libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16, 0, 1, 0x02),
    // nothing of it
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, 0),
    // all of it
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, u32::MAX),
];

/// Takes everybody who waits in the backlogs and stops listening: for listeners that others are blocked in, in threads or
/// processes, because closing a copy of one changes nothing for them.
pub fn stop_listening(listeners: &[TcpListener], server: &Server) -> VecDeque<(TcpStream, SocketAddr)> {
    let last = take_the_last(listeners, server);
    for listener in listeners {
        // it was listening, so this cannot fail
        let _ = SockRef::from(listener).shutdown(Shutdown::Both);
    }
    last
}

/// Lets nobody new in, and takes everybody who waits in the backlogs.
pub fn take_the_last(listeners: &[TcpListener], server: &Server) -> VecDeque<(TcpStream, SocketAddr)> {
    // A listener that was passed to us is for others, too: whoever serves it after us would find it deaf, should we end without having
    // given it its ears back.
    if !server.listener_is_passed() {
        for listener in listeners {
            // (where it is refused, nothing is lost but the certainty)
            let _ = SockRef::from(listener).attach_filter(&NO_NEW_CLIENTS);
        }
        std::thread::sleep(HANDSHAKE);
    }
    let end = Instant::now() + BACKLOG_TIME;
    let mut waiting = VecDeque::new();
    for listener in listeners {
        empty_backlog(listener, server, end, &mut waiting);
    }
    waiting
}

/// Bounded by the size of the backlog and by time, because clients may go on arriving. For whom there is no descriptor left
/// counts as cut.
fn empty_backlog(
    listener: &TcpListener,
    server: &Server,
    end: Instant,
    waiting: &mut VecDeque<(TcpStream, SocketAddr)>,
) {
    if listener.set_nonblocking(true).is_err() {
        return;
    }
    let most = waiting.len() + server.options.backlog as usize;
    while waiting.len() <= most && Instant::now() < end {
        match listener.accept() {
            Ok(connection) => waiting.push_back(connection),
            Err(e) if e.kind() == io::ErrorKind::Interrupted || verdict(&e) == Verdict::Gone => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
            Err(e) => {
                let left = backlog::waiting(listener);
                server.counters.cut(left as usize);
                server.log.complain(format_args!("{left} clients that waited are not served: {e}"));
                return;
            }
        }
    }
}
