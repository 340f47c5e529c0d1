//! The ready line: `listening on 127.0.0.1:12000 (mode thread, pid 4711)`.
//!
//! A server prints it once, first and flushed, when it accepts connections; whoever started the server waits
//! for it. So nobody sleeps and hopes, and port 0 works everywhere.

use std::fmt;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;

/// What the ready line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Where the server listens; the port is the real one, also when port 0 was asked for.
    pub address: SocketAddr,
    /// What it calls itself in brackets, for example `mode thread`.
    pub about: String,
    /// The process to send signals to.
    pub pid: u32,
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listening on {} ({}, pid {})", self.address, self.about, self.pid)
    }
}

impl Ready {
    /// Prints the line and flushes it.
    ///
    /// # Errors
    /// stdout could not be written: nobody would ever learn the port.
    pub fn announce(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{self}")?;
        out.flush()
    }

    /// Reads one line and understands it.
    ///
    /// # Errors
    /// `UnexpectedEof` if the server ended without a line, `InvalidData` if the line is no ready line.
    pub fn await_from(mut from: impl BufRead) -> io::Result<Self> {
        let mut line = String::new();
        // a ready line is short: a server that prints megabytes without a line break is not one of ours
        if io::Read::take(&mut from, 4096).read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended before it was ready"));
        }
        Self::parse(line.trim_end()).ok_or_else(|| {
            let line: String = line.escape_debug().take(80).collect();
            io::Error::new(io::ErrorKind::InvalidData, format!("its first line is no ready line: {line}"))
        })
    }

    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("listening on ")?;
        let (address, rest) = rest.split_once(" (")?;
        let (about, pid) = rest.strip_suffix(')')?.rsplit_once(", pid ")?;
        Some(Self { address: address.parse().ok()?, about: about.to_owned(), pid: pid.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_announced_is_understood() {
        let ready =
            Ready { address: "[::1]:12000".parse().unwrap(), about: "mode pool, 2 workers".into(), pid: 7 };
        let mut line = Vec::new();
        ready.announce(&mut line).unwrap();
        assert_eq!(Ready::await_from(line.as_slice()).unwrap(), ready);
    }

    #[test]
    fn anything_else_is_an_error() {
        assert_eq!(Ready::await_from(&b""[..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(Ready::await_from(&b"hello\n"[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "listening on .{0,40}") {
            let _ = Ready::await_from(line.as_bytes());
        }
    }
}
