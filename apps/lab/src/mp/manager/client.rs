//! The way from a process to the manager: its connections.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Pid, geteuid, getpid};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::Error;
use super::messages::{self, Blob, Limit, Operation, Reply, Request, SECRET};
use super::{ANSWER_MAX, IDLE_MAX, MESSAGE_MAX};
use crate::mp::value::{self, NotBytes};

/// Where the manager is, and what opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    /// Of a socket without a file.
    pub(super) name: String,
    pub(super) secret: [u8; SECRET],
}

/// All of this process's proxies of one manager share it.
pub(super) struct Client {
    address: Address,
    idle: Mutex<Idle>,
}

/// Connections that nobody uses at the moment, and whose they are.
struct Idle {
    of: Pid,
    connections: Vec<Connection>,
}

/// The shortest time limit of a socket: zero is none.
const MOMENT: Duration = Duration::from_millis(1);

static CLIENTS: Mutex<Vec<Weak<Client>>> = Mutex::new(Vec::new());

impl Client {
    /// This process's client of that manager.
    pub(super) fn of(address: &Address) -> Arc<Self> {
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.strong_count() > 0);
        let known = clients.iter().filter_map(Weak::upgrade).find(|client| client.address == *address);
        known.unwrap_or_else(|| {
            let idle = Mutex::new(Idle { of: getpid(), connections: Vec::new() });
            let client = Arc::new(Self { address: address.clone(), idle });
            clients.push(Arc::downgrade(&client));
            client
        })
    }

    /// The connections of *this* process: copies of a parent's are closed here, and nothing is said through them.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let own = getpid();
        if idle.of != own {
            *idle = Idle { of: own, connections: Vec::new() };
        }
        idle
    }

    /// A connection for one user at a time.
    pub(super) fn take(&self) -> Result<Connection, Error> {
        let kept = self.idle().connections.pop();
        kept.map_or_else(|| Connection::open(&self.address), Ok)
    }

    /// For the next one.
    pub(super) fn give_back(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.connections.len() < IDLE_MAX && connection.of == idle.of {
            idle.connections.push(connection);
        }
    }

    /// Asks and waits for the answer. After a failure that leaves it open what the server will say next, the connection is not used
    /// again.
    pub(super) fn ask(&self, request: &Request, limit: Limit) -> Result<Reply, Error> {
        let connection = self.take()?;
        let reply = connection.ask(request, limit);
        match reply {
            Err(Error::Gone) => self.idle().connections.clear(),
            _ => self.give_back(connection),
        }
        reply
    }
}

/// A connection that the server has welcomed.
pub(super) struct Connection {
    stream: UnixStream,
    /// The process that made it.
    pub(super) of: Pid,
}

impl Connection {
    fn open(address: &Address) -> Result<Self, Error> {
        let begun = Instant::now();
        let stream = connect(&address.name, ANSWER_MAX)?;
        // the name may be another's by now, and the secret is not for everybody
        let server = getsockopt(&stream, sockopt::PeerCredentials).map_err(|e| Error::System(e.into()))?;
        if server.uid() != geteuid().as_raw() {
            return Err(Error::Refused);
        }
        stream.set_write_timeout(Some(ANSWER_MAX)).map_err(Error::System)?;
        let connection = Self { stream, of: getpid() };
        // (a server that refuses a client does not read this, but it has said why)
        let _ = messages::send(&connection.stream, &address.secret);
        match connection.answer_within(Some(ANSWER_MAX.saturating_sub(begun.elapsed())))? {
            Reply::Welcome => Ok(connection),
            _ => Err(Error::Gone),
        }
    }

    pub(super) fn ask(&self, request: &Request, limit: Limit) -> Result<Reply, Error> {
        let frame = messages::frame(request).map_err(Error::Unserializable)?.ok_or(Error::TooLarge)?;
        io::Write::write_all(&mut &self.stream, &frame).map_err(|_| Error::Gone)?;
        let reply = self.answer(limit)?;
        if matches!(reply, Reply::Item(_)) {
            // only now it is ours; if this does not arrive it is somebody else's
            messages::send(&self.stream, &Request::Taken).map_err(|_| Error::Gone)?;
        }
        Ok(reply)
    }

    fn answer(&self, limit: Limit) -> Result<Reply, Error> {
        self.answer_within(limit.and_then(|limit| limit.checked_add(ANSWER_MAX)))
    }

    fn answer_within(&self, timeout: Option<Duration>) -> Result<Reply, Error> {
        // (none at all would be no limit)
        let timeout = timeout.map(|span| span.max(MOMENT));
        // (asked already: with any error the answer is still to come, and this connection is of no use)
        self.stream.set_read_timeout(timeout).map_err(|_| Error::Gone)?;
        match messages::receive(&self.stream).map_err(|_| Error::Gone)? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(reply),
        }
    }
}

/// Connects. A manager that was stopped accepts nobody, and when enough wait for it, the kernel makes the next one wait in here.
fn connect(name: &str, within: Duration) -> Result<UnixStream, Error> {
    let system = |error: Errno| Error::System(error.into());
    let address = SocketAddrUnix::new_abstract_name(name.as_bytes()).map_err(system)?;
    let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC);
    let socket = socket_with(kind.0, kind.1, kind.2, None).map_err(system)?;
    let begun = Instant::now();
    loop {
        let left = within.saturating_sub(begun.elapsed());
        // (the limit for sending is that for connecting, too)
        set_socket_timeout(&socket, Timeout::Send, Some(left.max(MOMENT))).map_err(system)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) => return Ok(socket.into()),
            Err(Errno::INTR) if !left.is_zero() => {}
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNREFUSED | Errno::CONNRESET) => {
                return Err(Error::Gone);
            }
            Err(error) => return Err(system(error)),
        }
    }
}

/// An object of a manager, as a value that can be sent to other processes.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) client: Arc<Client>,
    pub(super) id: u64,
}

impl std::fmt::Debug for Remote {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "object {} of {}", self.id, self.client.address.name)
    }
}

impl Remote {
    pub(super) fn ask(&self, operation: Operation) -> Result<Reply, Error> {
        let limit = operation.limit();
        self.client.ask(&Request::On(self.id, operation), limit)
    }

    pub(super) fn done(&self, operation: Operation) -> Result<(), Error> {
        self.ask(operation).map(|_| ())
    }

    pub(super) fn number(&self, operation: Operation) -> Result<usize, Error> {
        match self.ask(operation)? {
            Reply::Number(number) => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
            _ => Err(Error::Gone),
        }
    }

    pub(super) fn value<V: DeserializeOwned>(&self, operation: Operation) -> Result<Option<V>, Error> {
        match self.ask(operation)? {
            Reply::Value(value) => value.as_ref().map(decode).transpose(),
            _ => Err(Error::Gone),
        }
    }

    pub(super) fn values<V: DeserializeOwned>(&self, operation: Operation) -> Result<Vec<V>, Error> {
        match self.ask(operation)? {
            Reply::Values(values) => values.iter().map(decode).collect(),
            _ => Err(Error::Gone),
        }
    }
}

impl Serialize for Remote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.client.address, self.id).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Remote {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (address, id) = <(Address, u64)>::deserialize(deserializer)?;
        Ok(Self { client: Client::of(&address), id })
    }
}

/// A value as bytes.
pub(super) fn encode(item: &impl Serialize) -> Result<Blob, Error> {
    let mut bytes = Vec::new();
    match value::encode(item, &mut bytes, MESSAGE_MAX) {
        Ok(()) => Ok(Blob(bytes)),
        Err(NotBytes::TooLarge) => Err(Error::TooLarge),
        Err(NotBytes::Unserializable(why)) => Err(Error::Unserializable(why)),
    }
}

/// The value that all of these bytes are.
pub(super) fn decode<V: DeserializeOwned>(blob: &Blob) -> Result<V, Error> {
    value::decode(&blob.0).map_err(Error::OtherType)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{bind, listen};

    #[test]
    fn who_cannot_connect_in_time_is_told() {
        let name = format!("lab-test-{}", std::process::id());
        assert!(matches!(connect(&name, ANSWER_MAX), Err(Error::Gone)), "nobody is there");
        let server =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        bind(&server, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
        listen(&server, 0).unwrap();
        // nobody accepts: there is room for one, and none for the next
        let span = Duration::from_millis(20);
        let _first = connect(&name, span).unwrap();
        let begun = Instant::now();
        assert!(matches!(connect(&name, span), Err(Error::Gone)));
        assert!(begun.elapsed() >= span);
    }
}
