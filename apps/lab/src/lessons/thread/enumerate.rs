//! The threads that there are, by a list of our own and by the kernel's.

use std::fs;
use std::io;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::exit::Failure;

use super::{join, lock, named};
use crate::lesson::{Example, Saw};
use crate::stage::Stage;

const WORKERS: usize = 3;
/// A thread that was started says so before this is over, however busy the machine is.
const LIMIT: Duration = Duration::from_secs(60);

/// The threads that run, by name and number, as Python keeps such a list: each one enters itself, and is struck off at its end.
#[derive(Default)]
struct Register(Mutex<Vec<(i32, String)>>);

struct Entered<'a>(&'a Register, i32);

impl Register {
    fn enter(&self) -> Entered<'_> {
        let number = rustix::thread::gettid().as_raw_nonzero().get();
        let name = thread::current().name().unwrap_or_default().to_owned();
        lock(&self.0).push((number, name));
        Entered(self, number)
    }

    fn list(&self) -> Vec<(i32, String)> {
        let mut list = lock(&self.0).clone();
        list.sort();
        list
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).retain(|(number, _)| *number != self.1);
    }
}

pub(super) const ENUMERATE: Example = Example::new("enumerate", "which threads there are", &[21], enumerate);

fn enumerate(stage: &Stage) -> Result<Saw, Failure> {
    let (register, gate) = (Register::default(), Mutex::new(()));
    let (here, all_here) = mpsc::sync_channel(WORKERS);
    let work = |here: mpsc::SyncSender<()>| {
        let _entered = register.enter();
        let _ = here.send(());
        drop(lock(&gate));
    };
    let work = &work;
    let (listed, kernels) = thread::scope(|threads| {
        let closed = lock(&gate);
        let worker = |number| {
            let here = here.clone();
            named(threads, format!("worker-{number}"), move || work(here))
        };
        let workers = (1..=WORKERS).map(worker).collect::<io::Result<Vec<_>>>()?;
        for _ in &workers {
            all_here.recv_timeout(LIMIT).map_err(|_| Failure::failed("a thread did not begin"))?;
        }
        let lists = (register.list(), list_of_the_kernel()?);
        drop(closed);
        workers.into_iter().try_for_each(join)?;
        Ok::<_, Failure>(lists)
    })?;
    for (number, name) in &kernels {
        let ours = if listed.iter().any(|(n, _)| n == number) { "in our list, too" } else { "main itself" };
        stage.says("main", format_args!("thread {number} {name}: {ours}"));
    }
    let afterwards = register.list().len();
    stage.says("main", format_args!("after join: {afterwards} in our list"));
    let agreed = listed.iter().all(|entry| kernels.contains(entry)) && kernels.len() == listed.len() + 1;
    let how = if agreed { "and main itself, and no other" } else { "and not the same ones" };
    Ok(Saw::new()
        .fact("listed", &listed)
        .fact("kernels", &kernels)
        .fact("agreed", agreed)
        .fact("afterwards", afterwards)
        .say(format!("Our list had {} threads; the kernel's had those {how}.", listed.len()))
        .say(format!("After join our list had {afterwards}."))
        .note("Join returns when the thread ends. Looking at the list once a second, as the tutorials do, finds out up to a second later.")
        .shown(agreed && listed.len() == WORKERS && afterwards == 0))
}

/// All threads of this process, by number and name.
fn list_of_the_kernel() -> io::Result<Vec<(i32, String)>> {
    let mut list = Vec::new();
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?;
        let number = thread.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        list.push((number, fs::read_to_string(thread.path().join("comm"))?.trim_end().to_owned()));
    }
    list.sort();
    Ok(list)
}
