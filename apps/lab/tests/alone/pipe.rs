//! What a pipe does, told one by one.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use common::process::{Builder, Entry, Inherited};
use lab::mp::error::{GetError, PutError};
use lab::mp::pipe::{self, End};

use crate::family::{LONG, Random, child, context_switches, ends_well, kill, state, until_it_sleeps};
use crate::runner::Test;

pub(crate) const TESTS: &[Test] = &[
    ("a_pipe_goes_both_ways", both_ways),
    ("a_pipe_ends_when_its_other_end_is_closed", ends_when_closed),
    ("a_pipe_ends_when_the_other_process_is_killed", ends_when_killed),
    ("sending_to_nobody_is_an_error", sending_to_nobody),
    ("poll_waits_for_a_message_or_the_end", poll_waits),
    ("big_messages_go_through_up_to_the_bound", big_messages),
    ("who_finds_a_pipe_full_waits", full_pipe),
    ("time_limits_of_a_pipe_are_kept", time_limits),
    ("who_waits_at_a_pipe_uses_no_cpu", who_waits_uses_no_cpu),
    ("a_pipe_is_spawned_with_by_its_descriptors", spawned_by_descriptors),
    ("a_pipe_of_other_values_is_refused", other_values_are_refused),
    ("two_threads_share_an_end_by_halves", halves),
    ("senders_are_killed_at_random_instants", killed_senders),
    ("receivers_are_killed_at_random_instants", killed_receivers),
];

pub(crate) const ENTRIES: &[Entry] = &[Entry { name: "answer", run: answer }];

fn both_ways() {
    type Book = BTreeMap<String, String>;
    let (mut ours, theirs) = pipe::duplex::<Book, (u8, String)>().unwrap();
    let other = child(|| {
        ours.close();
        let mut theirs = theirs;
        theirs.send((1, "hello word".to_owned())).unwrap();
        let said = theirs.recv_within(LONG).unwrap();
        theirs.send((2, said["王阳明"].clone())).unwrap();
    });
    assert_eq!(ours.recv_within(LONG).unwrap(), (1, "hello word".to_owned()));
    ours.send([("王阳明".to_owned(), "传习录".to_owned())].into()).unwrap();
    assert_eq!(ours.recv_within(LONG).unwrap(), (2, "传习录".to_owned()));
    assert!(matches!(ours.recv_within(LONG), Err(GetError::Ended)), "the child has ended");
    ends_well(&other);
}

fn ends_when_closed() {
    let (mut sender, mut receiver) = pipe::one_way().unwrap();
    let other = child(|| {
        sender.close();
        let mut receiver = receiver;
        let got: Vec<u32> = std::iter::from_fn(|| receiver.recv_within(LONG).ok()).collect();
        assert!(matches!(receiver.try_recv(), Err(GetError::Ended)));
        i32::from(got != (0..1000).collect::<Vec<_>>())
    });
    (0..1000).for_each(|n| sender.send(n).unwrap());
    sender.close();
    assert!(matches!(sender.send(7), Err(PutError::Closed(7))));
    assert!(sender.descriptors().is_err());
    ends_well(&other);

    // one that sleeps
    let sender;
    (sender, receiver) = pipe::one_way::<u32>().unwrap();
    let mut sender = sender;
    let other = child(|| {
        sender.close();
        i32::from(!matches!(receiver.recv(), Err(GetError::Ended)))
    });
    receiver.close();
    assert!(matches!(receiver.recv(), Err(GetError::Ended)), "our own end is closed");
    until_it_sleeps(&other);
    drop(sender);
    ends_well(&other);
}

fn ends_when_killed() {
    let (sender, mut receiver) = pipe::one_way().unwrap();
    let other = child(|| {
        let mut sender = sender;
        (0..100).for_each(|n| sender.send(n).unwrap());
        thread::sleep(LONG);
    });
    // what it had sent is there
    (0..100).for_each(|n| assert_eq!(receiver.recv_within(LONG).unwrap(), n));
    assert!(matches!(receiver.try_recv(), Err(GetError::Empty)));
    kill(&other);
    assert!(matches!(receiver.recv(), Err(GetError::Ended)));
    assert!(receiver.poll(Duration::ZERO).unwrap(), "an end is something to receive");
}

fn sending_to_nobody() {
    let (mut sender, receiver) = pipe::one_way::<String>().unwrap();
    drop(receiver);
    assert_eq!(sender.send("first".to_owned()).unwrap_err().into_item(), "first");

    // one that slept when it was killed
    let (mut sender, mut receiver) = pipe::one_way::<String>().unwrap();
    let other = child(|| {
        sender.close();
        receiver.recv().map(drop)
    });
    receiver.close();
    until_it_sleeps(&other);
    kill(&other);
    assert!(matches!(sender.send("x".to_owned()), Err(PutError::Closed(_))));

    // one that was busy: at the latest after a moment
    let (mut sender, receiver) = pipe::one_way::<String>().unwrap();
    sender.send("x".to_owned()).unwrap();
    drop(receiver);
    let start = Instant::now();
    while sender.try_send("x".to_owned()).is_ok() {
        assert!(start.elapsed() < LONG);
    }
    assert!(matches!(sender.send("x".to_owned()), Err(PutError::Closed(_))));
}

fn poll_waits() {
    let (sender, mut receiver) = pipe::one_way().unwrap();
    let (mut go, mut told) = pipe::one_way().unwrap();
    let span = Duration::from_millis(20);
    let start = Instant::now();
    assert!(!receiver.poll(span).unwrap());
    assert!(start.elapsed() >= span);
    let other = child(|| {
        (receiver.close(), go.close());
        let mut sender = sender;
        while told.recv().is_ok() {
            sender.send(7).unwrap();
        }
    });
    told.close();
    for _ in 0..100 {
        until_it_sleeps(&other);
        go.send(()).unwrap();
        assert!(receiver.poll(LONG).unwrap());
        assert_eq!(receiver.try_recv().unwrap(), 7, "poll takes nothing, and waits for all of it");
    }
    go.close();
    assert!(receiver.poll(LONG).unwrap());
    assert!(matches!(receiver.try_recv(), Err(GetError::Ended)));
    ends_well(&other);
}

fn big_messages() {
    let (sender, mut receiver) = pipe::one_way::<Vec<u32>>().unwrap();
    let lengths = || (0..40).map(|n| n * 5_003 % 200_000);
    let other = child(|| {
        receiver.close();
        let mut sender = sender;
        for length in lengths() {
            sender.send((0..length).collect()).unwrap();
        }
        let longest = sender.longest();
        let too_large = vec![1; longest];
        assert!(matches!(sender.send(too_large), Err(PutError::TooLarge { most, .. }) if most == longest));
        sender.send(vec![1; longest - 3]).unwrap();
    });
    for length in lengths() {
        assert_eq!(receiver.recv_within(LONG).unwrap(), (0..length).collect::<Vec<_>>());
    }
    assert_eq!(receiver.recv_within(LONG).unwrap().len(), pipe::ROOM - 8 - 3);
    ends_well(&other);
}

fn full_pipe() {
    let (mut sender, mut receiver) = pipe::one_way_with_room::<[u64; 4]>(4096).unwrap();
    let mut room = 0;
    while sender.try_send([room; 4]).is_ok() {
        room += 1;
    }
    assert!(room >= 4096 / 64, "{room}");
    let span = Duration::from_millis(5);
    assert!(matches!(sender.send_within([0; 4], span), Err(PutError::Full([0, 0, 0, 0]))));
    let other = child(|| {
        receiver.close();
        (room..1000).for_each(|n| sender.send([n; 4]).unwrap());
    });
    sender.close();
    for n in 0..1000 {
        if n < 100 {
            until_it_sleeps(&other);
        }
        assert_eq!(receiver.recv_within(LONG).unwrap(), [n; 4]);
    }
    assert!(matches!(receiver.recv_within(LONG), Err(GetError::Ended)));
    ends_well(&other);
}

fn time_limits() {
    let (mut ours, mut theirs) = pipe::duplex::<u8, u8>().unwrap();
    let span = Duration::from_millis(20);
    let start = Instant::now();
    assert!(matches!(ours.recv_within(span), Err(GetError::Empty)));
    assert!(start.elapsed() >= span);
    assert!(matches!(ours.try_recv(), Err(GetError::Empty)));
    assert!(!ours.poll(Duration::ZERO).unwrap());
    theirs.send_within(1, Duration::ZERO).unwrap();
    assert_eq!(ours.recv_within(Duration::ZERO).unwrap(), 1);
    theirs.try_send(2).unwrap();
    assert_eq!(ours.recv_within(Duration::MAX).unwrap(), 2);
}

fn who_waits_uses_no_cpu() {
    let (mut ours, mut theirs) = pipe::duplex::<u8, u8>().unwrap();
    let other = child(|| {
        ours.close();
        theirs.recv().map(i32::from).unwrap_or(99)
    });
    theirs.close();
    until_it_sleeps(&other);
    let before = context_switches(other.pid());
    let (mut sender, mut receiver) = pipe::one_way().unwrap();
    (0..1000).for_each(|n| {
        sender.send(n).unwrap();
        assert_eq!(receiver.recv().unwrap(), n);
    });
    assert_eq!((context_switches(other.pid()), state(other.pid())), (before, Some('S')));
    ours.send(0).unwrap();
    ends_well(&other);
}

fn answer(inherited: Inherited) -> i32 {
    let descriptors = inherited.descriptors.try_into().unwrap();
    let mut end: End<String, u32> = End::open(descriptors).unwrap();
    while let Ok(number) = end.recv() {
        end.send(format!("{number} 传习录")).unwrap();
    }
    3
}

fn spawned_by_descriptors() {
    let (mut ours, theirs) = pipe::duplex::<u32, String>().unwrap();
    let mut builder = Builder::new().daemon(true);
    for descriptor in theirs.descriptors().unwrap() {
        builder = builder.pass(descriptor);
    }
    let other = builder.spawn("answer", &()).unwrap();
    drop(theirs);
    for n in 0..100 {
        ours.send(n).unwrap();
        assert_eq!(ours.recv_within(LONG).unwrap(), format!("{n} 传习录"));
    }
    ours.close();
    assert_eq!(other.join(Some(LONG)).unwrap(), Some(3));
}

fn other_values_are_refused() {
    let (ours, _theirs) = pipe::duplex::<u32, String>().unwrap();
    let copies = || ours.descriptors().unwrap().map(|d| d.try_clone_to_owned().unwrap());
    assert!(End::<u32, String>::open(copies()).is_ok());
    assert!(End::<String, u32>::open(copies()).is_err());
    let [memory, bell, _, _] = copies();
    assert!(pipe::Sender::<u32>::open([bell, memory]).is_err());
    let [memory, _, memory_back, _] = copies();
    assert!(pipe::Sender::<u32>::open([memory, memory_back]).is_err());
}

fn halves() {
    let (ours, theirs) = pipe::duplex_with_room::<u32, u32>(4096).unwrap();
    let (mut sender, mut receiver) = ours.into_halves();
    let (mut back, mut there) = theirs.into_halves();
    thread::scope(|threads| {
        threads.spawn(|| (0..5000).for_each(|n| sender.send(n).unwrap()));
        threads.spawn(|| (0..5000).for_each(|_| back.send(there.recv().unwrap() + 1).unwrap()));
        (0..5000).for_each(|n| assert_eq!(receiver.recv_within(LONG).unwrap(), n + 1));
    });
}

fn killed_senders() {
    let mut random = Random(77);
    for round in 0..200 {
        let (sender, mut receiver) = pipe::one_way_with_room(4096).unwrap();
        let other = child(|| {
            receiver.close();
            let mut sender = sender;
            (0u32..).try_for_each(|n| sender.send(vec![n; n as usize % 30]))
        });
        // on some rounds it waits for room when it is killed
        if round % 2 == 0 {
            random.instant_within(Duration::from_micros(500));
            kill(&other);
        }
        let mut next = 0;
        let end = loop {
            match receiver.recv_within(LONG) {
                Ok(got) => assert_eq!(got, vec![next; next as usize % 30]),
                Err(end) => break end,
            }
            next += 1;
            if round % 2 == 1 && random.below(300) == 0 {
                other.kill().unwrap();
            }
        };
        assert!(matches!(end, GetError::Ended), "{end}");
        assert_eq!(other.join(Some(LONG)).unwrap(), Some(-9));
    }
}

fn killed_receivers() {
    let mut random = Random(78);
    for _ in 0..200 {
        let (mut sender, mut receiver) = pipe::one_way_with_room(4096).unwrap();
        let other = child(|| {
            sender.close();
            while receiver.recv().is_ok() {}
        });
        receiver.close();
        let die_at = random.below(3000);
        let start = Instant::now();
        for n in 0.. {
            if n == die_at {
                other.kill().unwrap();
            }
            match sender.send_within(n, LONG) {
                Ok(()) => assert!(start.elapsed() < LONG),
                Err(end) => {
                    assert!(matches!(end, PutError::Closed(_)), "{end}");
                    break;
                }
            }
        }
        assert_eq!(other.join(Some(LONG)).unwrap(), Some(-9));
    }
}
