//! Clients and managers that are killed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use common::process::Process;
use lab::mp::manager::{Error, ManagedQueue, Manager};

use crate::runner::Test;
use crate::{LONG, comes_true, ends_well, forked};

pub(crate) const TESTS: &[Test] = &[
    ("the_lock_of_a_killed_holder_is_free", the_lock_of_a_killed_holder_is_free),
    ("a_copy_of_its_connection_does_not_hide_a_death", a_copy_of_its_connection_does_not_hide_a_death),
    ("writers_are_killed_and_what_they_put_is_there_once", writers_are_killed),
    ("readers_are_killed_and_what_they_did_not_take_is_there_once", readers_are_killed),
    ("who_is_killed_while_it_waits_takes_nothing", who_is_killed_while_it_waits_takes_nothing),
    ("clients_of_a_killed_manager_are_told", clients_of_a_killed_manager_are_told),
];

const ROUNDS: u32 = 50;

/// (xorshift: the instants differ, and a failure can be had again)
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// A moment of up to some hundred microseconds.
    fn moment(&mut self) {
        for _ in 0..self.below(20_000) {
            std::hint::spin_loop();
        }
    }
}

fn kill(victim: &Process) {
    victim.kill().unwrap();
    assert_eq!(victim.join(Some(LONG)).unwrap(), Some(-9));
}

fn pair() -> (UnixStream, UnixStream) {
    let (mine, others) = UnixStream::pair().unwrap();
    mine.set_read_timeout(Some(LONG)).unwrap();
    (mine, others)
}

fn descriptors_of(manager: &Manager) -> usize {
    fs::read_dir(format!("/proc/{}/fd", manager.pid())).unwrap().count()
}

fn the_lock_of_a_killed_holder_is_free() {
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let (mut said, says) = pair();
    let holder = forked(|| {
        let _held = lock.acquire(LONG).unwrap();
        (&says).write_all(b"!").unwrap();
        thread::sleep(LONG);
    });
    said.read_exact(&mut [0]).unwrap();
    assert!(matches!(lock.try_acquire(), Err(Error::Locked)));
    let waits = forked(|| lock.acquire(LONG).map(|held| i32::from(held.owner_died())));
    kill(&holder);
    assert_eq!(waits.join(Some(LONG)).unwrap(), Some(1), "it is told that the owner died");
    assert!(!lock.acquire(LONG).unwrap().owner_died(), "said once");
    // ending without releasing is no better
    ends_well(&forked(|| std::mem::forget(lock.acquire(LONG).unwrap())));
    assert!(lock.acquire(LONG).unwrap().owner_died());
}

fn a_copy_of_its_connection_does_not_hide_a_death() {
    let manager = Manager::start().unwrap();
    let lock = manager.lock().unwrap();
    let (mut said, says) = pair();
    let holder = forked(|| {
        let _held = lock.acquire(LONG).unwrap();
        // this one lives on, with copies of its parent's descriptors
        let child = forked(|| thread::sleep(LONG));
        (&says).write_all(&child.pid().to_le_bytes()).unwrap();
        thread::sleep(LONG);
    });
    let mut orphan = [0; 4];
    said.read_exact(&mut orphan).unwrap();
    kill(&holder);
    assert!(lock.acquire(LONG).unwrap().owner_died());
    drop(says);
    let orphan = nix::unistd::Pid::from_raw(i32::from_le_bytes(orphan));
    nix::sys::signal::kill(orphan, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(said.read(&mut [0]).unwrap(), 0, "it is gone");
}

/// What the queue still has, in the end.
fn rest(queue: &ManagedQueue<u32>) -> Vec<u32> {
    queue.close().unwrap();
    let mut rest = Vec::new();
    loop {
        match queue.get_within(LONG) {
            Ok(item) => rest.push(item),
            Err(Error::Ended) => return rest,
            Err(other) => panic!("{other}"),
        }
    }
}

/// The numbers that a victim told.
fn told(mut said: UnixStream) -> Vec<u32> {
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes).unwrap();
    bytes.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn writers_are_killed() {
    let manager = Manager::start().unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    manager.list::<u32>().unwrap();
    let before = descriptors_of(&manager);
    for round in 0..ROUNDS {
        let queue: ManagedQueue<u32> = manager.queue_of(3).unwrap();
        let (said, says) = pair();
        let victim = forked(|| -> () {
            for n in 0_u32.. {
                queue.put(&n).unwrap();
                (&says).write_all(&n.to_le_bytes()).unwrap();
            }
        });
        drop(says);
        let some = random.below(20);
        let mut got: Vec<u32> = (0..some).map(|_| queue.get_within(LONG).unwrap()).collect();
        random.moment();
        kill(&victim);
        got.extend(rest(&queue));
        let acknowledged = told(said);
        // in order and once; beyond what was acknowledged there may be the one that it was putting
        assert!(got.iter().copied().eq(0..got.len() as u32), "round {round}: {got:?}");
        let more = got.len().checked_sub(acknowledged.len());
        assert!(more.is_some_and(|more| more <= 1), "round {round}: {got:?} of {acknowledged:?}");
    }
    comes_true("nothing of them is left in the server", || descriptors_of(&manager) == before);
}

fn readers_are_killed() {
    let manager = Manager::start().unwrap();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    manager.list::<u32>().unwrap();
    let before = descriptors_of(&manager);
    for round in 0..ROUNDS {
        let queue: ManagedQueue<u32> = manager.queue_of(64).unwrap();
        let (said, says) = pair();
        let victim = forked(|| -> i32 {
            loop {
                let n = queue.get().unwrap();
                (&says).write_all(&n.to_le_bytes()).unwrap();
            }
        });
        drop(says);
        let put = random.below(100) as u32 + 1;
        (0..put).for_each(|n| queue.put_within(&n, LONG).unwrap());
        random.moment();
        kill(&victim);
        let left = rest(&queue);
        let taken = told(said);
        let all: Vec<u32> = taken.iter().chain(&left).copied().collect();
        let different: BTreeSet<u32> = all.iter().copied().collect();
        assert_eq!(different.len(), all.len(), "round {round}: twice in {taken:?} and {left:?}");
        // the one that it had just taken is its own
        assert!(all.len() as u32 + 1 >= put, "round {round}: {put} put, {taken:?} and {left:?}");
        // one that came back is the oldest, but we may have been given later ones before its reader's death was seen
        let mut in_order = left.clone();
        if let Some(oldest) = (0..left.len()).min_by_key(|place| left[*place]) {
            in_order.remove(oldest);
        }
        assert!(in_order.is_sorted(), "round {round}: {left:?}");
    }
    comes_true("nothing of them is left in the server", || descriptors_of(&manager) == before);
}

fn who_is_killed_while_it_waits_takes_nothing() {
    let manager = Manager::start().unwrap();
    let queue: ManagedQueue<u32> = manager.queue_of(1).unwrap();
    let before = descriptors_of(&manager);
    for n in 0..20 {
        let waits = forked(|| queue.get().map(|_| ()));
        comes_true("it is connected", || descriptors_of(&manager) >= before + 3);
        kill(&waits);
        queue.put(&n).unwrap();
        assert_eq!(queue.get_within(LONG).unwrap(), n);
        comes_true("nothing of it is left in the server", || descriptors_of(&manager) == before);
    }
}

fn clients_of_a_killed_manager_are_told() {
    let manager = Manager::start().unwrap();
    let (queue, full) = (manager.queue::<u32>().unwrap(), manager.queue_of::<u32>(1).unwrap());
    let (lock, ready) = (manager.lock().unwrap(), manager.queue::<()>().unwrap());
    full.put(&1).unwrap();
    let held = lock.acquire(LONG).unwrap();
    let is_gone = |outcome: Result<(), Error>| i32::from(!matches!(outcome, Err(Error::Gone)));
    let waits: [&dyn Fn() -> Result<(), Error>; 3] =
        [&|| queue.get().map(|_| ()), &|| full.put(&2), &|| lock.acquire(LONG).map(|_| ())];
    let clients: Vec<Process> = waits
        .iter()
        .map(|wait| {
            forked(|| {
                // (the parent may have it, and have killed the manager, before the answer is here)
                let _ = ready.put(&());
                let first = is_gone(wait());
                // and again, through a connection that would have to be made
                first + is_gone(ready.put(&()))
            })
        })
        .collect();
    for _ in 0..3 {
        ready.get_within(LONG).unwrap();
    }
    kill(manager.process());
    clients.iter().for_each(ends_well);
    assert!(matches!(queue.try_get(), Err(Error::Gone)) && matches!(manager.lock(), Err(Error::Gone)));
    drop(held);
}
