//! Processes, tested by a process with one thread.
#![expect(clippy::unwrap_used, reason = "whatever fails here is a failed test")]

mod runner;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use common::lock::Lock;
use common::process::{self, Builder, Entry, Inherited, PANICKED, Process, active_children};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;

const ENTRIES: &[Entry] = &[
    Entry { name: "say", run: say },
    Entry { name: "numbers", run: |inherited| inherited.arguments::<Vec<i32>>().map_or(77, |_| 0) },
    Entry { name: "name", run: |_| i32::from(process::name() != "Clock") },
    Entry { name: "wait", run: |inherited| wait(&inherited) },
    Entry { name: "has", run: has },
];

const LONG: Option<Duration> = Some(Duration::from_secs(20));

fn main() -> ExitCode {
    if let Some(code) = process::spawned(ENTRIES) {
        return ExitCode::from(u8::try_from(code).unwrap_or(1));
    }
    runner::run(&[
        ("exit_codes", exit_codes),
        ("join_waits_as_long_as_it_is_told", join_waits_as_long_as_it_is_told),
        ("names_tell_the_family", names_tell_the_family),
        ("active_children_reaps", active_children_reaps),
        ("a_dropped_process_is_waited_for", a_dropped_process_is_waited_for),
        ("a_dropped_daemon_is_ended", a_dropped_daemon_is_ended),
        ("a_daemon_that_refuses_is_killed", a_daemon_that_refuses_is_killed),
        ("a_daemon_dies_with_a_killed_parent", a_daemon_dies_with_a_killed_parent),
        ("others_cannot_join_or_end_it", others_cannot_join_or_end_it),
        ("a_process_with_threads_does_not_fork", a_process_with_threads_does_not_fork),
        ("a_process_forks_when_its_threads_are_gone", a_process_forks_when_its_threads_are_gone),
        (
            "a_spawned_process_gets_arguments_and_descriptors",
            a_spawned_process_gets_arguments_and_descriptors,
        ),
        ("a_spawned_process_inherits_nothing_else", a_spawned_process_inherits_nothing_else),
        ("a_spawned_process_passes_nothing_on", a_spawned_process_passes_nothing_on),
        ("the_last_descriptor_is_passed_too", the_last_descriptor_is_passed_too),
        ("a_process_with_threads_may_spawn", a_process_with_threads_may_spawn),
        ("an_entry_that_is_not_there_is_an_error", an_entry_that_is_not_there_is_an_error),
        ("a_lock_survives_its_holders", a_lock_survives_its_holders),
    ])
}

fn forked<T: process::ExitValue>(target: impl FnOnce() -> T) -> Process {
    Builder::new().fork(target).unwrap()
}

fn asleep() -> Process {
    forked(|| thread::sleep(Duration::from_secs(60)))
}

fn exit_codes() {
    silence_panics();
    assert_eq!(forked(|| ()).join(LONG).unwrap(), Some(0));
    assert_eq!(forked(|| 3).join(LONG).unwrap(), Some(3));
    assert_eq!(forked(|| Err::<(), _>("told on stderr")).join(LONG).unwrap(), Some(1));
    assert_eq!(forked(|| -> i32 { panic!("on purpose") }).join(LONG).unwrap(), Some(PANICKED));
    for signal in [Signal::SIGTERM, Signal::SIGKILL, Signal::SIGUSR1] {
        let child = asleep();
        assert_eq!(child.exit_code(), None);
        child.signal(signal).unwrap();
        assert_eq!(child.join(LONG).unwrap(), Some(-(signal as i32)));
        // to one that has ended a signal is nothing
        child.terminate().unwrap();
        child.kill().unwrap();
        assert_eq!((child.exit_code(), child.is_alive()), (Some(-(signal as i32)), false));
    }
}

fn join_waits_as_long_as_it_is_told() {
    let child = asleep();
    assert_eq!(child.join(Some(Duration::ZERO)).unwrap(), None);
    assert_eq!(child.join(Some(Duration::from_millis(5))).unwrap(), None);
    assert!(child.is_alive());
    child.kill().unwrap();
    // (longer than the clock can tell)
    assert_eq!(child.join(Some(Duration::MAX)).unwrap(), Some(-9));
    // as often as one likes
    assert_eq!(child.join(None).unwrap(), Some(-9));
}

fn names_tell_the_family() {
    assert_eq!(process::name(), "MainProcess");
    let named = Builder::new().name("Clock").fork(|| i32::from(process::name() != "Clock")).unwrap();
    assert_eq!((named.name(), named.join(LONG).unwrap()), ("Clock", Some(0)));
    let child = forked(|| {
        let own = process::name();
        let grandchildren = [forked(|| ()), forked(|| ())];
        let names = [1, 2].map(|n| format!("{own}:{n}"));
        let fine = own.starts_with("Process-") && grandchildren.iter().map(Process::name).eq(names.iter());
        i32::from(!fine)
    });
    assert_eq!(child.join(LONG).unwrap(), Some(0));
}

fn active_children_reaps() {
    let (ended, running) = (forked(|| 7), asleep());
    // until it is a zombie: readable, and not waited for
    let mut polled = [nix::poll::PollFd::new(ended.as_fd(), nix::poll::PollFlags::POLLIN)];
    nix::poll::poll(&mut polled, 20_000u16).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", ended.pid()));
    assert!(state().unwrap().contains(") Z "), "{}", state().unwrap());
    let active: Vec<i32> = active_children().iter().map(|child| child.pid).collect();
    assert_eq!(active, [running.pid()]);
    assert!(state().is_err(), "it has been reaped");
    assert_eq!(ended.exit_code(), Some(7));
    running.kill().unwrap();
}

fn a_dropped_process_is_waited_for() {
    let (mut theirs, mut ours) = UnixStream::pair().unwrap();
    drop(forked(move || theirs.write_all(b"done")));
    ours.set_nonblocking(true).unwrap();
    let mut said = [0; 4];
    ours.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"done");
}

fn a_dropped_daemon_is_ended() {
    let daemon = Builder::new().daemon(true).fork(|| thread::sleep(Duration::from_secs(60))).unwrap();
    let pid = daemon.pid();
    assert!(daemon.is_daemon());
    drop(daemon);
    assert!(!is_there(pid));
}

fn a_daemon_that_refuses_is_killed() {
    let (mut theirs, mut ours) = UnixStream::pair().unwrap();
    let deaf = move || {
        let mut mask = nix::sys::signal::SigSet::empty();
        mask.add(Signal::SIGTERM);
        mask.thread_block().unwrap();
        theirs.write_all(b".").unwrap();
        thread::sleep(Duration::MAX);
    };
    let daemon = Builder::new().daemon(true).fork(deaf).unwrap();
    ours.read_exact(&mut [0]).unwrap();
    let pid = daemon.pid();
    drop(daemon);
    assert!(!is_there(pid));
}

fn a_daemon_dies_with_a_killed_parent() {
    let (mut theirs, mut ours) = UnixStream::pair().unwrap();
    let parent = forked(move || {
        let daemon = Builder::new().daemon(true).fork(|| thread::sleep(Duration::from_secs(60))).unwrap();
        theirs.write_all(&daemon.pid().to_le_bytes()).unwrap();
        // (the daemon has a copy of `theirs`; it goes with it)
        thread::sleep(Duration::from_secs(60));
    });
    let mut pid = [0; 4];
    ours.read_exact(&mut pid).unwrap();
    parent.kill().unwrap();
    assert_eq!(parent.join(LONG).unwrap(), Some(-9));
    // the end of the stream: both copies are gone
    ours.set_read_timeout(LONG).unwrap();
    assert_eq!(ours.read(&mut [0]).unwrap(), 0);
    assert!(i32::from_le_bytes(pid) > 0);
}

fn others_cannot_join_or_end_it() {
    let daemon = Builder::new().daemon(true).fork(|| thread::sleep(Duration::from_secs(60))).unwrap();
    let mut sister = Some(daemon);
    let child = forked(|| {
        let refused = sister.as_ref().is_some_and(|s| s.join(None).is_err()) && active_children().is_empty();
        // a copy of the value: dropping it must not wait for the sister, nor end her
        sister = None;
        i32::from(!refused)
    });
    assert_eq!(child.join(LONG).unwrap(), Some(0));
    let sister = sister.unwrap();
    sister.signal(Signal::SIGUSR1).unwrap();
    assert_eq!(sister.join(LONG).unwrap(), Some(-(Signal::SIGUSR1 as i32)), "nobody was quicker");
}

fn a_process_with_threads_does_not_fork() {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<()>(0);
    let thread = thread::spawn(move || receiver.recv());
    let refused = Builder::new().fork(|| ()).unwrap_err();
    assert!(refused.to_string().contains("threads"), "{refused}");
    drop(sender);
    let _ = thread.join().unwrap();
}

fn a_process_forks_when_its_threads_are_gone() {
    for _ in 0..200 {
        thread::spawn(|| ()).join().unwrap();
        assert_eq!(forked(|| ()).join(LONG).unwrap(), Some(0));
    }
}

/// Writes its arguments to the descriptors that it was passed.
fn say(inherited: Inherited) -> i32 {
    let (number, words): (u32, Vec<String>) = inherited.arguments().unwrap();
    for (i, descriptor) in inherited.descriptors.into_iter().enumerate() {
        write!(UnixStream::from(descriptor), "{i}: {number} {}", words.join(" ")).unwrap();
    }
    0
}

fn a_spawned_process_gets_arguments_and_descriptors() {
    let pairs = [0, 1, 2, 3, 4].map(|_| UnixStream::pair().unwrap());
    let arguments = (7, vec!["传习录", "two words"]);
    // the highest number first: none may be overwritten before it was copied
    let builder =
        pairs.iter().rev().fold(Builder::new(), |builder, (theirs, _)| builder.pass(theirs.as_fd()));
    let child = builder.spawn("say", &arguments).unwrap();
    assert_eq!(child.join(LONG).unwrap(), Some(0));
    for (i, (theirs, mut ours)) in pairs.into_iter().rev().enumerate() {
        drop(theirs);
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, format!("{i}: 7 传习录 two words"));
    }
    let named = Builder::new().name("Clock").spawn("name", &()).unwrap();
    assert_eq!(named.join(LONG).unwrap(), Some(0));
    // arguments of another type are an error, not something else
    assert_eq!(Builder::new().spawn("numbers", &"words").unwrap().join(LONG).unwrap(), Some(77));
}

/// How many descriptors it has, as its exit code, once it may go.
fn wait(inherited: &Inherited) -> i32 {
    let count = i32::try_from(fs::read_dir("/proc/self/fd").unwrap().count()).unwrap();
    let mut stream = UnixStream::from(inherited.descriptors[0].try_clone().unwrap());
    let _ = stream.read(&mut [0]);
    count
}

fn a_spawned_process_inherits_nothing_else() {
    let descriptors = || {
        let (theirs, ours) = UnixStream::pair().unwrap();
        let child = Builder::new().daemon(true).pass(theirs.as_fd()).spawn("wait", &()).unwrap();
        drop((theirs, ours));
        child.join(LONG).unwrap()
    };
    let few = descriptors();
    let many: Vec<_> = (0..20).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    assert_eq!(descriptors(), few);
    drop(many);
}

/// Whether it has this descriptor, and so many generations after it.
fn has(inherited: Inherited) -> i32 {
    let (number, generations): (i32, u32) = inherited.arguments().unwrap();
    let own = i32::from(fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    if generations == 0 {
        return own;
    }
    let child = Builder::new().spawn("has", &(number, generations - 1)).unwrap();
    own + 10 * child.join(LONG).unwrap().unwrap()
}

fn a_spawned_process_passes_nothing_on() {
    // as a shell or another program may leave one behind
    let file = fs::File::open("/dev/null").unwrap();
    let left_behind = rustix::io::fcntl_dupfd_cloexec(&file, 100).unwrap();
    rustix::io::fcntl_setfd(&left_behind, rustix::io::FdFlags::empty()).unwrap();
    let child = Builder::new().spawn("has", &(left_behind.as_raw_fd(), 2)).unwrap();
    assert_eq!(child.join(LONG).unwrap(), Some(1), "the child has it, and nobody after it");
}

fn the_last_descriptor_is_passed_too() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let child = forked(|| {
        let last = rustix::io::fcntl_dupfd_cloexec(&theirs, 200).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, last.as_raw_fd() as u64 + 1, hard).unwrap();
        // the same one twice: each is one of its own
        let builder = Builder::new().pass(last.as_fd()).pass(last.as_fd());
        let child = builder.spawn("say", &(7, ["words"])).unwrap();
        child.join(LONG).unwrap().unwrap()
    });
    assert_eq!(child.join(LONG).unwrap(), Some(0));
    drop(theirs);
    let mut said = String::new();
    ours.read_to_string(&mut said).unwrap();
    assert_eq!(said, "0: 7 words1: 7 words");
}

fn a_process_with_threads_may_spawn() {
    thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                let child = Builder::new().name("Clock").spawn("name", &()).unwrap();
                assert_eq!(child.join(LONG).unwrap(), Some(0));
            });
        }
    });
}

fn an_entry_that_is_not_there_is_an_error() {
    let error = Builder::new().spawn("nobody", &()).unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
    // a letter that is none
    let mut nonsense = Command::new("/proc/self/exe");
    nonsense.arg("--spawned=0").stdin(Stdio::null()).stderr(Stdio::null());
    assert_eq!(nonsense.status().unwrap().code(), Some(1));
}

fn a_lock_survives_its_holders() {
    let lock = Lock::new().unwrap();
    for _ in 0..50 {
        let (mut theirs, mut ours) = UnixStream::pair().unwrap();
        let holder = forked(|| {
            let _held = lock.lock().unwrap();
            theirs.write_all(b".").unwrap();
            thread::sleep(Duration::from_secs(60));
        });
        ours.read_exact(&mut [0]).unwrap();
        assert!(lock.try_lock().unwrap().is_none(), "it is held by another process");
        holder.kill().unwrap();
        // waited for while the holder dies
        let guard = lock.lock_within(Duration::from_secs(20)).unwrap().unwrap();
        assert!(guard.owner_died());
        drop(guard);
        assert!(!lock.lock().unwrap().owner_died());
    }
}

fn is_there(pid: i32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}

/// Those that are on purpose need no message.
fn silence_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
        if text != "on purpose" {
            usual(info);
        }
    }));
}
