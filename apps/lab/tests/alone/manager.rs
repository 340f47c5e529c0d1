//! The manager and its proxies, tested by a process with one thread.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

#[path = "manager/bounds.rs"]
mod bounds;
#[path = "manager/killed.rs"]
mod killed;
#[path = "../../../../common/tests/alone/runner.rs"]
mod runner;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use common::process::{self, Builder, Entry, ExitValue, Inherited, Process};
use lab::mp::manager::{Dict, Error, List, ManagedLock, ManagedQueue, Manager};

const ENTRIES: &[Entry] =
    &[Entry { name: "use", run: |inherited| use_from_a_spawned_one(&inherited).exit_code() }];

/// No wait of these tests is longer.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if let Some(code) = process::spawned(ENTRIES) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    let own: &[runner::Test] = &[
        ("a_dict_does_what_a_dict_does", a_dict_does_what_a_dict_does),
        ("a_list_does_what_a_list_does", a_list_does_what_a_list_does),
        ("what_was_fetched_is_a_copy", what_was_fetched_is_a_copy),
        ("a_queue_is_full_empty_and_ended", a_queue_is_full_empty_and_ended),
        ("who_waits_at_a_queue_is_woken", who_waits_at_a_queue_is_woken),
        ("five_processes_write_and_nothing_is_merged_at_the_end", five_processes_write),
        ("an_update_is_lost_between_two_calls", an_update_is_lost_between_two_calls),
        ("a_lock_around_both_calls_cures_it", a_lock_around_both_calls_cures_it),
        ("a_lock_is_one_holders", a_lock_is_one_holders),
        ("proxies_work_after_fork_and_after_spawn", proxies_work_after_fork_and_after_spawn),
        ("a_thread_has_a_connection_when_it_needs_one", a_thread_has_a_connection_when_it_needs_one),
    ];
    runner::run(&[own, killed::TESTS, bounds::TESTS].concat())
}

fn forked<T: ExitValue>(target: impl FnOnce() -> T) -> Process {
    Builder::new().fork(target).unwrap()
}

fn ends_well(child: &Process) {
    assert_eq!(child.join(Some(LONG)).unwrap(), Some(0), "{} ends well", child.name());
}

/// Asks again and again, for a bounded time.
fn comes_true(what: &str, mut question: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !question() {
        assert!(Instant::now() < end, "{what}: not within {LONG:?}");
        thread::yield_now();
    }
}

fn a_dict_does_what_a_dict_does() {
    let manager = Manager::start().unwrap();
    let dict: Dict<String, Vec<u32>> = manager.dict().unwrap();
    let (ann, bob) = ("Ann".to_owned(), "小明".to_owned());
    assert!(dict.is_empty().unwrap() && dict.get(&ann).unwrap().is_none());
    dict.set(&bob, &vec![1]).unwrap();
    dict.set(&ann, &vec![2, 3]).unwrap();
    dict.set(&bob, &vec![4]).unwrap();
    assert_eq!(dict.keys().unwrap(), [bob.clone(), ann.clone()], "in the order of the first set");
    assert_eq!(dict.items().unwrap(), [(bob.clone(), vec![4]), (ann.clone(), vec![2, 3])]);
    assert!(dict.contains(&ann).unwrap() && !dict.contains(&"Eve".to_owned()).unwrap());
    assert_eq!(dict.remove(&bob).unwrap(), Some(vec![4]));
    assert_eq!((dict.remove(&bob).unwrap(), dict.len().unwrap()), (None, 1));
    dict.clear().unwrap();
    assert!(dict.is_empty().unwrap() && dict.items().unwrap().is_empty());
}

fn a_list_does_what_a_list_does() {
    let manager = Manager::start().unwrap();
    let list: List<(i64, String)> = manager.list().unwrap();
    let item = |n: i64| (n, n.to_string());
    assert!(list.is_empty().unwrap() && list.pop().unwrap().is_none());
    for n in [1, 2, 3] {
        list.append(&item(n)).unwrap();
    }
    list.set(1, &item(-2)).unwrap();
    assert!(matches!(list.set(3, &item(4)), Err(Error::OutOfRange)));
    assert_eq!((list.get(1).unwrap(), list.get(3).unwrap()), (Some(item(-2)), None));
    assert_eq!(list.to_vec().unwrap(), [item(1), item(-2), item(3)]);
    assert_eq!((list.pop().unwrap(), list.len().unwrap()), (Some(item(3)), 2));
    list.clear().unwrap();
    assert!(list.is_empty().unwrap());
}

fn what_was_fetched_is_a_copy() {
    let manager = Manager::start().unwrap();
    let dict: Dict<u8, Vec<u32>> = manager.dict().unwrap();
    dict.set(&1, &vec![1]).unwrap();
    let mut fetched = dict.get(&1).unwrap().unwrap();
    fetched.push(2);
    assert_eq!(dict.get(&1).unwrap(), Some(vec![1]));
    dict.set(&1, &fetched).unwrap();
    assert_eq!(dict.get(&1).unwrap(), Some(vec![1, 2]));
}

fn a_queue_is_full_empty_and_ended() {
    let manager = Manager::start().unwrap();
    let queue: ManagedQueue<u32> = manager.queue_of(2).unwrap();
    let span = Duration::from_millis(30);
    assert!(matches!(queue.try_get(), Err(Error::Empty)));
    let since = Instant::now();
    assert!(matches!(queue.get_within(span), Err(Error::Empty)));
    assert!(since.elapsed() >= span);
    queue.put(&1).unwrap();
    assert!(!queue.is_empty().unwrap() && !queue.is_full().unwrap());
    queue.try_put(&2).unwrap();
    assert!(queue.is_full().unwrap() && matches!(queue.try_put(&3), Err(Error::Full)));
    let since = Instant::now();
    assert!(matches!(queue.put_within(&3, span), Err(Error::Full)));
    assert!(since.elapsed() >= span);
    assert_eq!((queue.len().unwrap(), queue.capacity().unwrap()), (2, 2));
    assert_eq!(queue.get().unwrap(), 1);
    queue.try_put(&3).unwrap();
    queue.close().unwrap();
    assert!(matches!(queue.try_put(&4), Err(Error::Closed)));
    assert!(matches!(queue.put(&4), Err(Error::Closed)));
    assert_eq!((queue.get().unwrap(), queue.get_within(LONG).unwrap()), (2, 3));
    for _ in 0..2 {
        assert!(matches!(queue.get(), Err(Error::Ended)) && matches!(queue.try_get(), Err(Error::Ended)));
    }
}

fn who_waits_at_a_queue_is_woken() {
    let manager = Manager::start().unwrap();
    let queue: ManagedQueue<u32> = manager.queue_of(1).unwrap();
    let back: ManagedQueue<u64> = manager.queue().unwrap();
    let writer = forked(|| (1..=500).try_for_each(|n| queue.put(&n)));
    let readers: Vec<Process> = (0..2)
        .map(|_| {
            forked(|| {
                let mut sum = 0;
                loop {
                    match queue.get() {
                        Ok(n) => sum += u64::from(n),
                        Err(Error::Ended) => return back.put(&sum),
                        Err(other) => return Err(other),
                    }
                }
            })
        })
        .collect();
    ends_well(&writer);
    queue.close().unwrap();
    let sums = [back.get_within(LONG).unwrap(), back.get_within(LONG).unwrap()];
    assert_eq!(sums.iter().sum::<u64>(), 500 * 501 / 2);
    readers.iter().for_each(ends_well);
    // a close wakes a writer that waits, too
    let full: ManagedQueue<u32> = manager.queue_of(1).unwrap();
    full.put(&0).unwrap();
    let waits = forked(|| {
        back.put(&0)?;
        assert!(matches!(full.put_within(&1, LONG), Err(Error::Closed)));
        Ok::<_, Error>(())
    });
    back.get_within(LONG).unwrap();
    full.close().unwrap();
    ends_well(&waits);
}

fn five_processes_write() {
    let manager = Manager::start().unwrap();
    let (dict, list) = (manager.dict::<String, u32>().unwrap(), manager.list::<u32>().unwrap());
    let (ready, go) = (manager.queue::<()>().unwrap(), manager.queue::<()>().unwrap());
    let write = |n: u32| {
        list.append(&n)?;
        dict.set(&format!("key {n}"), &n)?;
        ready.put(&())?;
        go.get_within(LONG)
    };
    let children: Vec<Process> = (0..5).map(|n| forked(move || write(n))).collect();
    for _ in 0..5 {
        ready.get_within(LONG).unwrap();
    }
    // all is here, and they have not ended
    let mut values = list.to_vec().unwrap();
    values.sort_unstable();
    assert_eq!(values, [0, 1, 2, 3, 4]);
    let mut items = dict.items().unwrap();
    items.sort();
    assert_eq!(items, [0, 1, 2, 3, 4].map(|n| (format!("key {n}"), n)));
    assert!(children.iter().all(Process::is_alive));
    for _ in 0..5 {
        go.put(&()).unwrap();
    }
    children.iter().for_each(ends_well);
}

fn an_update_is_lost_between_two_calls() {
    let manager = Manager::start().unwrap();
    let (ready, go) = (manager.queue::<()>().unwrap(), manager.queue::<()>().unwrap());
    let dict = manager.dict::<(), u32>().unwrap();
    dict.set(&(), &0).unwrap();
    let add_one = || {
        let read = dict.get(&())?.unwrap();
        ready.put(&())?;
        go.get_within(LONG)?;
        dict.set(&(), &(read + 1))
    };
    let children = [forked(add_one), forked(add_one)];
    for _ in 0..2 {
        ready.get_within(LONG).unwrap();
    }
    // both have read 0
    for _ in 0..2 {
        go.put(&()).unwrap();
    }
    children.iter().for_each(ends_well);
    assert_eq!(dict.get(&()).unwrap(), Some(1));
}

fn a_lock_around_both_calls_cures_it() {
    let manager = Manager::start().unwrap();
    let (dict, lock) = (manager.dict::<(), u32>().unwrap(), manager.lock().unwrap());
    dict.set(&(), &0).unwrap();
    let add = || {
        (0..100).try_for_each(|_| {
            let _held = lock.acquire(LONG)?;
            let read = dict.get(&())?.unwrap();
            dict.set(&(), &(read + 1))
        })
    };
    let children: Vec<Process> = (0..3).map(|_| forked(add)).collect();
    children.iter().for_each(ends_well);
    assert_eq!(dict.get(&()).unwrap(), Some(300));
}

fn a_lock_is_one_holders() {
    let manager = Manager::start().unwrap();
    let lock: ManagedLock = manager.lock().unwrap();
    let held = lock.acquire(LONG).unwrap();
    let span = Duration::from_millis(30);
    let since = Instant::now();
    assert!(matches!(lock.acquire(span), Err(Error::Locked)), "not even its holder gets it again");
    assert!(since.elapsed() >= span && matches!(lock.try_acquire(), Err(Error::Locked)));
    // a copy of the guard in a forked child is nothing
    let mut held = Some(held);
    let child = forked(|| {
        drop(held.take());
        assert!(matches!(lock.try_acquire(), Err(Error::Locked)));
    });
    ends_well(&child);
    drop(held);
    let other = lock.clone();
    ends_well(&forked(|| other.acquire(LONG).map(|guard| i32::from(guard.owner_died()))));
    assert!(!lock.try_acquire().unwrap().owner_died(), "a guard that was dropped has not died");
}

fn use_from_a_spawned_one(inherited: &Inherited) -> Result<(), Box<dyn std::error::Error>> {
    let (dict, list, queue, lock): Proxies = inherited.arguments()?;
    let _held = lock.acquire(LONG)?;
    dict.set(&"spawned".to_owned(), &1)?;
    list.append(&2)?;
    let item = queue.get_within(LONG)?;
    queue.put(&(item + 1))?;
    Ok(())
}

type Proxies = (Dict<String, u32>, List<u32>, ManagedQueue<u32>, ManagedLock);

fn proxies_work_after_fork_and_after_spawn() {
    let manager = Manager::start().unwrap();
    let proxies: Proxies =
        (manager.dict().unwrap(), manager.list().unwrap(), manager.queue().unwrap(), manager.lock().unwrap());
    let (dict, list, queue, _) = &proxies;
    queue.put(&10).unwrap();
    let spawned = Builder::new().spawn("use", &proxies).unwrap();
    ends_well(&spawned);
    assert_eq!(dict.items().unwrap(), [("spawned".to_owned(), 1)]);
    assert_eq!(queue.get_within(LONG).unwrap(), 11);
    // parent and children speak at the same time, each through a connection of its own: no answer is another's
    let talk = |who: u32| {
        for n in 0..200 {
            dict.set(&format!("{who}"), &n)?;
            assert_eq!(dict.get(&format!("{who}"))?, Some(n), "its own answer");
        }
        Ok::<_, Error>(())
    };
    let children: Vec<Process> = (0..3).map(|who| forked(move || talk(who))).collect();
    talk(77).unwrap();
    children.iter().for_each(ends_well);
    assert_eq!((dict.len().unwrap(), list.to_vec().unwrap()), (5, vec![2]));
    // a proxy in a queue, and in a grandchild
    let proxies_queue: ManagedQueue<List<u32>> = manager.queue().unwrap();
    proxies_queue.put(list).unwrap();
    let child = forked(|| {
        let list = proxies_queue.get_within(LONG)?;
        ends_well(&forked(|| list.append(&3)));
        list.append(&4)
    });
    ends_well(&child);
    assert_eq!(list.to_vec().unwrap(), [2, 3, 4]);
    assert!(!format!("{proxies:?}").contains("secret"), "{proxies:?}");
}

fn a_thread_has_a_connection_when_it_needs_one() {
    let manager = Manager::start().unwrap();
    let queue: ManagedQueue<u32> = manager.queue().unwrap();
    let list: List<u32> = manager.list().unwrap();
    thread::scope(|threads| {
        // one waits, and the others are not held up
        let waits = threads.spawn(|| queue.get_within(LONG).unwrap());
        for n in 0..8 {
            let list = &list;
            threads.spawn(move || list.append(&n).unwrap());
        }
        comes_true("all appended", || list.len().unwrap() == 8);
        queue.put(&5).unwrap();
        assert_eq!(waits.join().unwrap(), 5);
    });
}
