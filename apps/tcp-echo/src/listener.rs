//! Opening the listener, and the one line that says why it could not be opened.

use std::io::{self, ErrorKind};
use std::net::TcpListener;

use common::exit::Failure;
use common::net::{self, Inherited};

use crate::options::Options;

/// Listens where the options say. Connections inherit the time limits (and `TCP_NODELAY`) from the listener.
///
/// # Errors
/// What is wrong with the address, and what to do.
pub fn open(options: &Options) -> Result<TcpListener, Failure> {
    let inherited = Inherited { read_timeout: options.idle_timeout, write_timeout: options.write_timeout };
    net::listen(options.address, options.backlog, inherited).map_err(|e| {
        let advice = advice(&e, options.address.port());
        Failure::failed(format!("cannot listen on {}: {}{advice}", options.address, plain(&e)))
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
