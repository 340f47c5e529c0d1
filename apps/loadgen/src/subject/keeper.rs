//! The process between loadgen and a server that is not ours: it sees to it that nothing of that server is left behind.
//!
//! How: `loadgen keep --parent PID -- PROGRAM …` starts the program in a process group of its own and waits. A command
//! may be a script that starts the real server and dies before it; whoever loses its parent so becomes a child of the
//! keeper. SIGTERM goes on to the whole group, as Ctrl-C on a terminal would; SIGUSR1, or the death of loadgen, ends
//! all at once. When the command has ended and nobody is left, so does the keeper, with the command's exit code (128 and
//! the signal's number if it was killed). A command that ends while nobody asked it to has its descendants ended. Cost:
//! one process that sleeps, and that is in none of the server's figures. Where it breaks: a keeper that is killed with
//! SIGKILL leaves the command's descendants behind, though not the command itself.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use common::exit::Failure;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};

use super::become_server::Order;
use super::tree::Whose;

/// Ends all at once.
pub const END_ALL: Signal = Signal::SIGUSR1;
/// Added to a signal's number.
pub const KILLED: i32 = 128;

struct Kept {
    command: Pid,
    /// Its exit code, when it has ended.
    ended: Option<i32>,
    asked: bool,
}

/// Starts the command and keeps it to its end.
///
/// # Errors
/// It could not be started.
pub fn keep(order: &Order) -> Result<ExitCode, Failure> {
    let failure = |why: &dyn std::fmt::Display| Failure::failed(format!("cannot keep the server: {why}"));
    let mut heard = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGCHLD, END_ALL].into_iter().for_each(|signal| heard.add(signal));
    // they wait until they are asked for: none is missed, and there is no handler
    heard.thread_block().map_err(|e| failure(&e))?;
    prctl::set_child_subreaper(true).map_err(|e| failure(&e))?;
    prctl::set_pdeathsig(END_ALL).map_err(|e| failure(&e))?;
    if getppid().as_raw() != order.parent {
        return Err(failure(&"loadgen is gone"));
    }
    let own = std::env::current_exe().map_err(|e| failure(&e))?;
    let mut command = Command::new(own);
    order.pass_on(&mut command);
    let child = command.process_group(0).spawn().map_err(|e| failure(&e))?;
    let mut kept = Kept { command: Pid::from_raw(child.id().cast_signed()), ended: None, asked: false };
    loop {
        match heard.wait().map_err(|e| failure(&e))? {
            Signal::SIGTERM => {
                kept.asked = true;
                let _ = killpg(kept.command, Signal::SIGTERM);
            }
            signal if signal == END_ALL => kept.end_all(),
            _ => {}
        }
        if kept.reap() {
            let code = kept.ended.and_then(|code| u8::try_from(code).ok());
            return Ok(ExitCode::from(code.unwrap_or(common::exit::FAILED)));
        }
    }
}

impl Kept {
    /// Takes note of who has ended; `true`: nobody is left.
    fn reap(&mut self) -> bool {
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, KILLED + signal as i32),
                Ok(WaitStatus::StillAlive) => return false,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => return true,
            };
            if pid == self.command {
                self.ended = Some(code);
                if self.asked {
                    // those that are in a group of their own have not heard of it yet
                    signal_all(Signal::SIGTERM);
                } else {
                    self.end_all();
                }
            }
        }
    }

    /// Kills whoever is left, until nobody is; one that is born meanwhile is seen in the next round.
    fn end_all(&mut self) {
        loop {
            signal_all(Signal::SIGKILL);
            match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, code)) if pid == self.command => self.ended = Some(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.command => {
                    self.ended = Some(KILLED + signal as i32);
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

fn signal_all(signal: Signal) {
    // this process looks, so it is none of those that are found
    for stat in Whose::Below(getpid().as_raw()).processes() {
        let _ = kill(Pid::from_raw(stat.pid), signal);
    }
}
