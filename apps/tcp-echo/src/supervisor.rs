//! systemd, or whoever speaks its two small protocols: it passes a listener that it opened before us (`LISTEN_FDS`), and
//! wants to hear when we are ready and when we stop (`NOTIFY_SOCKET`). Where neither variable is set, nothing happens.

use std::io;
use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use socket2::SockRef;

/// The listener that was passed to us, if one was. It must be the only one.
///
/// # Errors
/// What was passed is no TCP listener, or there are several.
pub fn passed_listener() -> io::Result<Option<TcpListener>> {
    let mut passed = ListenFd::from_env();
    if passed.len() > 1 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "several were passed, and one is served"));
    }
    let listener = if passed.len() == 0 { None } else { passed.take_tcp_listener(0)? };
    if let Some(listener) = &listener {
        // it came over an exec, and must not go over another one
        SockRef::from(listener).set_cloexec(true)?;
    }
    Ok(listener)
}

/// Ready: whoever waits for us may go on.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// Stopping: connections are drained.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Somebody who does not listen any more is no reason to end.
fn tell(state: NotifyState) {
    let _ = sd_notify::notify(&[state]);
}
