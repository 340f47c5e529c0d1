//! Opening the listener, and the one line that says why it could not be opened.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use common::exit::Failure;
use common::net::{self, Inherited};

use crate::about::Listeners;
use crate::options::Options;
use crate::supervisor;

/// What is listened on.
#[derive(Debug)]
pub struct Opened {
    /// One, or one for each worker.
    pub listeners: Vec<TcpListener>,
    /// Somebody else has opened it, and may go on with it when we have ended.
    pub passed: bool,
}

/// Listens where the options say, or uses the listener that systemd passed. Connections inherit the time limits (and
/// `TCP_NODELAY`) from the listener.
///
/// # Errors
/// What is wrong with the address, and what to do.
pub fn open(options: &Options, count: Listeners) -> Result<Opened, Failure> {
    let passed = supervisor::passed_listener().map_err(|e| {
        Failure::failed(format!("the listener that was passed (LISTEN_FDS) cannot be used: {e}"))
    })?;
    let inherited = Inherited {
        read_timeout: options.idle_timeout,
        write_timeout: options.write_timeout,
        shares_port: matches!(count, Listeners::Reuseport(_)),
    };
    if let Some(listener) = passed {
        if inherited.shares_port {
            return Err(Failure::usage(
                "one listener was passed (LISTEN_FDS), and --accept reuseport and --runtime per-core need one for each worker: \
                 choose another way, or start without the .socket unit",
            ));
        }
        return match net::tune(&listener, options.backlog, inherited) {
            Ok(()) => Ok(Opened { listeners: vec![listener], passed: true }),
            Err(e) => {
                Err(Failure::failed(format!("the listener that was passed cannot be set up: {}", plain(&e))))
            }
        };
    }
    let first = listen(options.address, options, inherited)?;
    let address = first.local_addr().map_err(Failure::failed)?;
    let mut listeners = vec![first];
    if let Listeners::Reuseport(count) = count {
        for _ in 1..count {
            listeners.push(listen(address, options, inherited)?);
        }
    }
    Ok(Opened { listeners, passed: false })
}

fn listen(address: SocketAddr, options: &Options, inherited: Inherited) -> Result<TcpListener, Failure> {
    net::listen(address, options.backlog, inherited).map_err(|e| {
        let advice = advice(&e, address.port());
        Failure::failed(format!("cannot listen on {address}: {}{advice}", plain(&e)))
    })
}

fn advice(error: &io::Error, port: u16) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => {
            format!(
                ": another program has this port; `ss -ltnp 'sport = {port}'` shows it, --port 0 picks a free one"
            )
        }
        ErrorKind::PermissionDenied => ": ports below 1024 are for root; choose a higher --port".to_owned(),
        ErrorKind::AddrNotAvailable => {
            ": this machine does not have that address; `ip address` lists them".to_owned()
        }
        _ => String::new(),
    }
}

/// The kernel's words without Rust's error number, in lower case as the middle of a sentence.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
