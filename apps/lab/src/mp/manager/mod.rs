//! Objects that processes share: dicts, lists, queues and locks in a process of their own.
//!
//! What Python's `multiprocessing.Manager` offers:
//!
//! | there | here |
//! |---|---|
//! | `Manager()` starts a server process; it ends with the value and with its parent | [`Manager::start`], dropping the [`Manager`] |
//! | `dict()`, `list()`, `Queue()`, `Lock()` | [`Manager::dict`], [`Manager::list`], [`Manager::queue`], [`Manager::lock`] |
//! | each method call of a proxy is one request to the server | the same: each call is done at once or not at all, two calls are two |
//! | a value that was fetched is a copy | the same: changing it changes nothing until it is set |
//! | `authkey` | a random secret, which every proxy carries |
//! | any Python value, and so any code, by `pickle` | values of one type, as bytes (`postcard`); the server knows no types and runs nothing |
//! | a lock whose holder was killed stays locked | it is free, and the next holder is told |
//! | an item that was sent to a killed process is lost | it is the oldest one of the queue again |
//!
//! **How it works.** The server is a fork of the process that starts it (which must have one thread) and keeps nothing of it but
//! the values' bytes. It listens on a Unix socket without a file (an abstract name) and serves each connection with a thread. Who
//! connects must be a process of the same user (the kernel says so) and show the secret, 32 random bytes of the kernel. A
//! connection serves one call at a time; a thread that calls takes one of its process's, or makes one. Connections are never
//! used by a forked child of the process that made them. The server watches the process at the other end, too, so that copies of
//! a connection in forked children do not hide its death.
//!
//! **What it costs.** A call is a message there and one back, through the kernel, and two context switches. A queue and a lock in
//! shared memory make no system call while nobody has to wait.
//!
//! **Where it breaks.** When the manager is killed all values are gone, and every call, also one that waits, gives [`Error::Gone`]. It ends with the
//! *thread* that started it, so that has to be one that lasts. Objects stay until the manager ends, even when no proxy is left.
//!
//! **Bounds.** [`CONNECTIONS_MAX`], [`OBJECTS_MAX`], [`VALUES_MAX`], [`MESSAGE_MAX`]: beyond them a call is refused with an error
//! that says which; nobody else notices. A queue has always a capacity.
//!
//! **Why no crate.** `procspawn` and `ipc-channel` have no shared objects; RPC frameworks (`tarpc`, `tonic`) bring an asynchronous
//! runtime and a network protocol for what is here a length, some bytes and a map.
//!
//! ```
//! use common::process::Builder;
//! use lab::mp::manager::Manager;
//! use std::time::Duration;
//!
//! let manager = Manager::start()?;
//! let ages = manager.dict::<String, u32>()?;
//! let lock = manager.lock()?;
//! let children: Vec<_> = (0..3)
//!     .map(|_| {
//!         Builder::new().fork(|| {
//!             // without the lock, two could read the same age, and one year would be lost
//!             let _held = lock.acquire(Duration::from_secs(60))?;
//!             let age = ages.get(&"Ann".to_owned())?.unwrap_or(20);
//!             ages.set(&"Ann".to_owned(), &(age + 1))
//!         })
//!     })
//!     .collect::<Result<_, _>>()?;
//! for child in children {
//!     assert_eq!(child.join(None)?, Some(0));
//! }
//! assert_eq!(ages.items()?, [("Ann".to_owned(), 23)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod dict;
mod error;
mod list;
mod lock;
mod messages;
mod queue;
mod server;
mod store;

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;
use std::time::Duration;

use common::process::{Builder, Process};
use nix::unistd::{Pid, getpid};
use rustix::rand::{GetRandomFlags, getrandom};

use client::{Address, Client, Remote};
use messages::{Kind, Reply, Request, SECRET};

pub use dict::Dict;
pub use error::Error;
pub use list::List;
pub use lock::{ManagedGuard, ManagedLock};
pub use queue::ManagedQueue;

/// So many connections, each with a thread, are served; one more is [refused](Error::TooManyConnections). (A process has as many as threads of
/// it call at the same time, and one for each lock that it holds.)
pub const CONNECTIONS_MAX: usize = 128;
/// A process keeps so many connections that it does not use at the moment; others are closed.
pub const IDLE_MAX: usize = 4;
/// A manager has at most so many objects; one more is [refused](Error::TooManyObjects).
pub const OBJECTS_MAX: usize = 4096;
/// The bytes of all keys and values, each with [`ENTRY`] more (a dict has its keys twice); one more is [refused](Error::NoRoom).
pub const VALUES_MAX: usize = 256 << 20;
/// What a key or a value costs the server beside its bytes, about.
pub const ENTRY: usize = 64;
/// The bytes of a message: a value (with its key), or all values of an object that are asked for at once; a longer one is
/// [refused](Error::TooLarge).
pub const MESSAGE_MAX: usize = 4 << 20;
/// A server that has not answered for so long, beyond the time that it was to wait, is [gone](Error::Gone); and a client that
/// has not ended a message or not taken an answer for so long is gone for the server.
pub const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The capacity of a queue that is not told any.
pub const QUEUE_ITEMS: usize = 1024;

/// The random bytes in the name of the socket.
const NAME: usize = 8;

/// The process that has the objects. It ends when this value is dropped, and when the process or the thread that started it ends.
pub struct Manager {
    client: Arc<Client>,
    server: Process,
    started_by: Pid,
}

impl std::fmt::Debug for Manager {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Manager(process {})", self.server.pid())
    }
}

impl Manager {
    /// Starts it.
    ///
    /// # Errors
    /// This process has more than one thread, or the kernel has no room for another process.
    pub fn start() -> io::Result<Self> {
        let mut random = [0; SECRET + NAME];
        // (so few bytes always come whole)
        getrandom(&mut random, GetRandomFlags::empty())?;
        let (secret, name) = random.split_at(SECRET);
        let secret: [u8; SECRET] = secret.try_into().map_err(io::Error::other)?;
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let address = Address { name: format!("lab-manager-{}-{name}", getpid()), secret };
        // bound before the fork: when this is back, clients can connect
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&address.name)?)?;
        let server = Builder::new().name("Manager").daemon(true).fork(|| server::serve(&listener, secret))?;
        Ok(Self { client: Client::of(&address), server, started_by: getpid() })
    }

    /// A dict, empty.
    ///
    /// # Errors
    /// It has [as many objects](Error::TooManyObjects) as it may; it is [gone](Error::Gone).
    pub fn dict<K, V>(&self) -> Result<Dict<K, V>, Error> {
        Ok(Dict::new(self.create(Kind::Dict)?))
    }

    /// A list, empty.
    ///
    /// # Errors
    /// As [`Self::dict`].
    pub fn list<V>(&self) -> Result<List<V>, Error> {
        Ok(List::new(self.create(Kind::List)?))
    }

    /// A queue for [`QUEUE_ITEMS`] items.
    ///
    /// # Errors
    /// As [`Self::dict`].
    pub fn queue<V>(&self) -> Result<ManagedQueue<V>, Error> {
        self.queue_of(QUEUE_ITEMS)
    }

    /// A queue for so many items (at least 1).
    ///
    /// # Errors
    /// As [`Self::dict`].
    pub fn queue_of<V>(&self, items: usize) -> Result<ManagedQueue<V>, Error> {
        Ok(ManagedQueue::new(self.create(Kind::Queue(items as u64))?))
    }

    /// A lock, free.
    ///
    /// # Errors
    /// As [`Self::dict`].
    pub fn lock(&self) -> Result<ManagedLock, Error> {
        Ok(ManagedLock::new(self.create(Kind::Lock)?))
    }

    /// The server's process number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.server.pid()
    }

    /// The server's process, which can be looked at, killed and waited for.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.server
    }

    fn create(&self, kind: Kind) -> Result<Remote, Error> {
        match self.client.ask(&Request::Create(kind), Some(Duration::ZERO))? {
            Reply::Created(id) => Ok(Remote { client: Arc::clone(&self.client), id }),
            _ => Err(Error::Gone),
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if self.started_by == getpid() {
            // there is nothing to tidy up in it; `server` is dropped next, which waits for its end
            let _ = self.server.kill();
        }
    }
}
