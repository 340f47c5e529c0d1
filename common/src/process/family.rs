//! Who belongs to whom: the children of this process, its own name, and its tie to its parent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use nix::unistd::Pid;
use rustix::process::set_parent_process_death_signal;

use super::Known;

static CHILDREN: Mutex<Vec<Weak<Known>>> = Mutex::new(Vec::new());
static MADE: AtomicUsize = AtomicUsize::new(0);
/// Empty in the first process of the program.
static NAME: Mutex<String> = Mutex::new(String::new());

/// A child that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Its process number.
    pub pid: i32,
    /// Its name.
    pub name: String,
}

/// The children that run, in the order in which they were made. Those that have ended are reaped by this question: they are
/// no zombies any more.
#[must_use]
pub fn active_children() -> Vec<Child> {
    let known: Vec<Arc<Known>> = lock(&CHILDREN).iter().filter_map(Weak::upgrade).collect();
    let alive = known.iter().filter(|child| child.reap().is_none());
    alive.map(|child| Child { pid: child.pid.as_raw(), name: child.name.clone() }).collect()
}

/// The name of this process: `MainProcess`, or what its parent called it.
#[must_use]
pub fn name() -> String {
    let name = lock(&NAME);
    if name.is_empty() { "MainProcess".to_owned() } else { name.clone() }
}

/// Remembers a child; forgets those whose values are gone.
pub(super) fn enter(child: &Arc<Known>) {
    let mut children = lock(&CHILDREN);
    children.retain(|child| child.strong_count() > 0);
    children.push(Arc::downgrade(child));
}

/// The name of the next child that is given none: `Process-2`, or `Process-1:2` for the second child of the first.
pub(super) fn next_name() -> String {
    let number = MADE.fetch_add(1, Ordering::Relaxed) + 1;
    match lock(&NAME).strip_prefix("Process-") {
        Some(own) => format!("Process-{own}:{number}"),
        None => format!("Process-{number}"),
    }
}

/// This is a new process: it has a name of its own, and no children yet.
pub(super) fn begin(name: &str) {
    lock(&CHILDREN).clear();
    MADE.store(0, Ordering::Relaxed);
    name.clone_into(&mut lock(&NAME));
}

/// Ties this process's life to its parent's. `false` if the parent was gone before the tie was there: then nobody
/// waits for us. The tie is to the parent's thread, so it is for children of threads that last. (These calls are made in place: the
/// C library's stand on a page of their own, and each page that a child touches costs it a fault.)
#[inline(always)]
#[must_use]
pub fn die_with(parent: Pid) -> bool {
    let tied = set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).is_ok();
    tied && rustix::process::Pid::as_raw(rustix::process::getppid()) == parent.as_raw()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
