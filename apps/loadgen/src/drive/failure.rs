//! Which class an I/O error belongs to: one pure function for a connect, one for what comes after.

use std::io::{self, ErrorKind};

use crate::measure::Class;

/// The class of an error of `socket`, `bind` or `connect`.
#[must_use]
pub fn of_connect(error: &io::Error) -> Class {
    match error.raw_os_error() {
        Some(
            libc::EADDRNOTAVAIL
            | libc::EADDRINUSE
            | libc::EMFILE
            | libc::ENFILE
            | libc::ENOBUFS
            | libc::ENOMEM,
        ) => Class::ClientSide,
        _ => match error.kind() {
            // a listener that goes away resets what it has not accepted: nobody has ever been there
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Class::ConnectRefused,
            ErrorKind::TimedOut => Class::ConnectTimedOut,
            _ => Class::Other,
        },
    }
}

/// The class of an error of `send` or `recv`.
#[must_use]
pub fn of_transfer(error: &io::Error) -> Class {
    match error.raw_os_error() {
        Some(libc::ENOBUFS | libc::ENOMEM) => Class::ClientSide,
        _ => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Class::Reset,
            ErrorKind::TimedOut => Class::TimedOut,
            _ => Class::Other,
        },
    }
}

/// What the kernel calls an error, without Rust's "(os error 111)".
#[must_use]
pub fn describe(errno: i32) -> String {
    let text = io::Error::from_raw_os_error(errno).to_string();
    let plain = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = plain.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_on_this_machine_is_never_the_servers_fault() {
        for errno in [libc::EADDRNOTAVAIL, libc::EMFILE, libc::ENOBUFS] {
            assert_eq!(of_connect(&io::Error::from_raw_os_error(errno)), Class::ClientSide);
        }
        assert_eq!(of_connect(&io::Error::from_raw_os_error(libc::ECONNREFUSED)), Class::ConnectRefused);
        assert_eq!(of_transfer(&io::Error::from_raw_os_error(libc::EPIPE)), Class::Reset);
        assert_eq!(of_transfer(&io::Error::from_raw_os_error(libc::ECONNRESET)), Class::Reset);
    }

    #[test]
    fn an_error_number_is_told_in_words() {
        assert_eq!(describe(libc::ECONNREFUSED), "connection refused");
    }
}
