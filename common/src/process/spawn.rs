//! A process by exec: the own binary anew, told which of its entries to run.
//!
//! The arguments go through memory that the child inherits, as JSON: a child that expects something else gets an error, not other
//! values. A closure cannot be sent to another
//! program, a name can: so the program lists what may be started ([`Entry`]), and asks first of all in its `main` whether it was
//! started for one of them ([`spawned`]). That is what Python's `if __name__ == "__main__"` is for; without it the child
//! would start children, and so on.
//!
//! The crate `procspawn` does the same with the address of a function instead of a name, and no descriptors can be passed with
//! it; here the start is to be read, and a name can be seen in a list of processes.

use std::env;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Pid, getpid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{builder, die_with, family};
use crate::sys::descriptor;

/// The first argument of a process that was spawned, before the numbers of its letter.
const FLAG: &str = "--spawned=";

/// What a program offers to be started for: a name, and the function to run, which gives the exit code.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// As [`Builder::spawn`](super::Builder::spawn) calls it.
    pub name: &'static str,
    /// What it does.
    pub run: fn(Inherited) -> i32,
}

/// What a spawned process got from its parent.
#[derive(Debug)]
pub struct Inherited {
    arguments: serde_json::Value,
    /// The descriptors that were passed, in their order.
    pub descriptors: Vec<OwnedFd>,
}

impl Inherited {
    /// The arguments.
    ///
    /// # Errors
    /// They are of another type.
    pub fn arguments<T: DeserializeOwned>(&self) -> io::Result<T> {
        Ok(serde_json::from_value(self.arguments.clone())?)
    }
}

/// What the parent writes to the child.
#[derive(Serialize, Deserialize)]
struct Letter {
    entry: String,
    name: String,
    /// Its parent's number, if it is to die with it.
    daemon_of: Option<i32>,
    arguments: serde_json::Value,
    descriptors: Vec<RawFd>,
}

static ENTRIES: OnceLock<&'static [Entry]> = OnceLock::new();

/// To be called first of all in `main`: if this process was started by [`Builder::spawn`](super::Builder::spawn), runs its entry and
/// gives the exit code, with which `main` has to end. `None` in a process that was started by a person.
///
/// What this program was started with beside stdin, stdout and stderr it keeps to itself from now on: no program that it starts gets it. (A copy
/// of somebody's pipe, forgotten in a child, would hide its end from whoever reads it.)
#[must_use]
pub fn spawned(entries: &'static [Entry]) -> Option<i32> {
    let _ = ENTRIES.set(entries);
    // (where the kernel cannot, they stay as they were)
    let _ = descriptor::close_on_exec_from(3);
    // (a person's arguments need not be text)
    let argument = env::args_os().nth(1)?;
    let letter: RawFd = argument.to_str()?.strip_prefix(FLAG)?.parse().ok()?;
    Some(builder::run(|| {
        if letter <= 2 {
            return Err(io::Error::other(format!("{FLAG}N is for the program's own use")));
        }
        let (letter, inherited) = open(descriptor::adopt(letter))?;
        if letter.daemon_of.is_some_and(|parent| !die_with(Pid::from_raw(parent))) {
            return Ok(0);
        }
        family::begin(&letter.name);
        let run = find(&letter.entry)?;
        Ok::<_, io::Error>(run(inherited))
    }))
}

fn open(letter: OwnedFd) -> io::Result<(Letter, Inherited)> {
    let mut bytes = Vec::new();
    let mut file = File::from(letter);
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    let mut letter: Letter = serde_json::from_slice(&bytes)?;
    let descriptors: Vec<OwnedFd> =
        letter.descriptors.iter().map(|number| descriptor::adopt(*number)).collect();
    for descriptor in &descriptors {
        // a child of this process gets what it is passed, and nothing else, whatever the kernel
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    let arguments = std::mem::take(&mut letter.arguments);
    Ok((letter, Inherited { arguments, descriptors }))
}

fn find(name: &str) -> io::Result<fn(Inherited) -> i32> {
    let unready =
        || io::Error::other("a program that spawns itself calls process::spawned first in its main");
    let entries = ENTRIES.get().ok_or_else(unready)?;
    let entry = entries.iter().find(|entry| entry.name == name);
    entry.map(|entry| entry.run).ok_or_else(|| io::Error::other(format!("no entry is called {name}")))
}

/// Starts it; gives its number.
pub(super) fn start(
    entry: &str,
    arguments: &impl Serialize,
    name: &str,
    daemon: bool,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<Pid> {
    find(entry)?;
    let memory = File::from(memfd_create("spawned", MFdFlags::MFD_CLOEXEC)?);
    // The child has them under numbers that are taken for it here: so each has one of its own, also one that is passed twice, or stdin.
    let copy = |descriptor: BorrowedFd<'_>| rustix::io::fcntl_dupfd_cloexec(descriptor, 3);
    let copies: Vec<OwnedFd> = descriptors.iter().copied().map(copy).collect::<Result<_, _>>()?;
    let memory = File::from(copy(memory.as_fd())?);
    let letter = Letter {
        entry: entry.to_owned(),
        name: name.to_owned(),
        daemon_of: daemon.then(|| getpid().as_raw()),
        arguments: serde_json::to_value(arguments)?,
        descriptors: copies.iter().map(AsRawFd::as_raw_fd).collect(),
    };
    (&memory).write_all(&serde_json::to_vec(&letter)?)?;
    let program = env::args_os().next().unwrap_or_else(|| "spawned".into());
    let program = program.to_string_lossy();
    let flag = format!("{FLAG}{}", memory.as_raw_fd());
    let passed = copies.iter().map(AsFd::as_fd).chain([memory.as_fd()]);
    let all: Vec<_> = passed.map(|descriptor| (descriptor, descriptor.as_raw_fd())).collect();
    own_binary(&[&program, &flag], &all, &PosixSpawnAttr::init()?)
}

/// Starts the own binary with these words (the first one is its name) and, beside stdin, stdout and stderr, these descriptors
/// under these numbers (one that keeps its number is passed as well). (`posix_spawn` does not copy the parent's page tables, as `fork` does.)
///
/// # Errors
/// A word has a NUL in it, or the kernel has no room for another process.
pub fn own_binary(
    words: &[&str],
    descriptors: &[(BorrowedFd<'_>, RawFd)],
    attributes: &PosixSpawnAttr,
) -> io::Result<Pid> {
    let words: Vec<CString> = words.iter().copied().map(CString::new).collect::<Result<_, _>>()?;
    let environment: Vec<CString> = env::vars_os()
        .filter_map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok())
        .collect();
    let mut files = PosixSpawnFileActions::init()?;
    for (descriptor, number) in descriptors {
        files.add_dup2(descriptor.as_raw_fd(), *number)?;
    }
    Ok(posix_spawn("/proc/self/exe", &files, attributes, &words, &environment)?)
}
