//! Who may use a manager, how much of it, and what is left of it.

use std::fs;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use lab::mp::manager::{
    CONNECTIONS_MAX, Dict, Error, List, MESSAGE_MAX, ManagedGuard, ManagedLock, ManagedQueue, Manager,
    OBJECTS_MAX,
};
use nix::unistd::{Uid, geteuid, setuid};

use crate::runner::Test;
use crate::{LONG, comes_true, ends_well, forked};

pub(crate) const TESTS: &[Test] = &[
    ("a_wrong_secret_is_refused", a_wrong_secret_is_refused),
    ("another_user_is_refused", another_user_is_refused),
    ("connections_are_bounded", connections_are_bounded),
    ("objects_and_messages_are_bounded", objects_and_messages_are_bounded),
    ("a_value_of_another_type_is_an_error", a_value_of_another_type_is_an_error),
    ("the_server_keeps_nothing_of_its_parent", the_server_keeps_nothing_of_its_parent),
    ("nothing_is_left_of_a_manager", nothing_is_left_of_a_manager),
    ("a_process_with_threads_has_no_manager", a_process_with_threads_has_no_manager),
];

fn a_wrong_secret_is_refused() {
    let manager = Manager::start().unwrap();
    let list: List<u32> = manager.list().unwrap();
    let mut letter = serde_json::to_value(&list).unwrap();
    let same: List<u32> = serde_json::from_value(letter.clone()).unwrap();
    same.append(&1).unwrap();
    for place in [0, 31] {
        let byte = &mut letter[0]["secret"][place];
        *byte = (byte.as_u64().unwrap() ^ 1).into();
        let stranger: List<u32> = serde_json::from_value(letter.clone()).unwrap();
        assert!(matches!(stranger.append(&2), Err(Error::Refused)));
    }
    assert_eq!(list.to_vec().unwrap(), [1]);
}

fn another_user_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let manager = Manager::start().unwrap();
    let list: List<u32> = manager.list().unwrap();
    list.append(&1).unwrap();
    ends_well(&forked(|| {
        setuid(Uid::from_raw(65534)).unwrap();
        assert!(matches!(list.append(&2), Err(Error::Refused)), "it has the secret, and is nobody");
    }));
    assert_eq!(list.to_vec().unwrap(), [1]);
}

fn connections_are_bounded() {
    let manager = Manager::start().unwrap();
    let locks: Vec<ManagedLock> = (0..CONNECTIONS_MAX).map(|_| manager.lock().unwrap()).collect();
    let mut held: Vec<ManagedGuard> = locks.iter().map(|lock| lock.acquire(LONG).unwrap()).collect();
    assert!(matches!(manager.lock(), Err(Error::TooManyConnections)));
    ends_well(&forked(|| assert!(matches!(locks[0].try_acquire(), Err(Error::TooManyConnections)))));
    held.pop();
    assert!(matches!(locks[0].try_acquire(), Err(Error::Locked)), "there is one again");
    held.clear();
    // others have room as soon as the server has seen these end
    ends_well(&forked(|| {
        comes_true("a connection for another", || match locks[0].try_acquire() {
            Ok(_) => true,
            Err(Error::TooManyConnections) => false,
            Err(other) => panic!("{other}"),
        });
    }));
}

fn objects_and_messages_are_bounded() {
    let manager = Manager::start().unwrap();
    let list: List<String> = manager.list().unwrap();
    assert!(matches!(list.append(&"x".repeat(MESSAGE_MAX)), Err(Error::TooLarge)));
    let half = "x".repeat(MESSAGE_MAX / 2);
    list.append(&half).unwrap();
    list.append(&half).unwrap();
    assert!(matches!(list.to_vec(), Err(Error::TooLarge)), "each fits, both do not");
    assert_eq!(list.get(1).unwrap(), Some(half));
    for _ in 1..OBJECTS_MAX {
        manager.lock().unwrap();
    }
    assert!(matches!(manager.list::<u8>(), Err(Error::TooManyObjects)));
    assert_eq!(list.len().unwrap(), 2);
}

fn a_value_of_another_type_is_an_error() {
    let manager = Manager::start().unwrap();
    let queue: ManagedQueue<u32> = manager.queue().unwrap();
    let letter = serde_json::to_value(&queue).unwrap();
    let strings: ManagedQueue<String> = serde_json::from_value(letter.clone()).unwrap();
    queue.put(&77).unwrap();
    assert!(matches!(strings.try_get(), Err(Error::OtherType(_))));
    let dict: Dict<u32, u32> = serde_json::from_value(letter).unwrap();
    assert!(matches!(dict.get(&1), Err(Error::NoSuchObject)), "a queue is no dict");
    queue.put(&78).unwrap();
    assert_eq!(queue.get().unwrap(), 78);
}

fn the_server_keeps_nothing_of_its_parent() {
    let (mut mine, others) = UnixStream::pair().unwrap();
    mine.set_read_timeout(Some(LONG)).unwrap();
    let manager = Manager::start().unwrap();
    drop(others);
    assert_eq!(mine.read(&mut [0]).unwrap(), 0, "the end is seen, though the server was forked with a copy");
    let _held = manager.lock().unwrap().acquire(LONG).unwrap();
    // a value that owns the number there, a copy of ours, must not come to own a connection
    let number = format!("/proc/{}/fd/{}", manager.pid(), mine.as_raw_fd());
    assert_eq!(fs::read_link(number).unwrap().to_str(), Some("/dev/null"));
}

fn nothing_is_left_of_a_manager() {
    let sockets = || fs::read_to_string("/proc/net/unix").unwrap();
    let name = format!("@lab-manager-{}-", std::process::id());
    let manager = Manager::start().unwrap();
    let list: List<u32> = manager.list().unwrap();
    assert!(sockets().contains(&name));
    let server = manager.pid();
    drop(manager);
    assert!(!sockets().contains(&name));
    assert!(fs::metadata(format!("/proc/{server}")).is_err(), "the process is gone and was waited for");
    assert!(matches!(list.append(&1), Err(Error::Gone)));
    // and of one whose parent is killed; the next one of this process is another
    let orphan = forked(|| -> i32 {
        let manager = Manager::start().unwrap();
        let list: List<u32> = manager.list().unwrap();
        list.append(&1).unwrap();
        std::process::abort()
    });
    assert_eq!(orphan.join(Some(LONG)).unwrap(), Some(-6));
    let name = format!("@lab-manager-{}-", orphan.pid());
    comes_true("the orphaned server is gone", || !sockets().contains(&name));
    let next = Manager::start().unwrap();
    let other: List<u32> = next.list().unwrap();
    other.append(&1).unwrap();
    assert!(matches!(list.append(&1), Err(Error::Gone)));
    // a copy of the value in a child ends nothing
    ends_well(&forked(move || drop(list)));
    assert_eq!(other.len().unwrap(), 1);
}

fn a_process_with_threads_has_no_manager() {
    let (tell, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|threads| {
        threads.spawn(move || wait.recv());
        assert!(Manager::start().is_err());
        drop(tell);
    });
}
