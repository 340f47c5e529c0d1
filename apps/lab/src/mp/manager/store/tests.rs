//! The bounds of the store, and what it does when a client is gone.

use super::*;

fn created(store: &mut Store, kind: Kind) -> u64 {
    let Reply::Created(id) = store.create(kind) else { panic!("no object") };
    id
}

fn done(store: &mut Store, client: Client, id: u64, mut operation: Operation) -> Reply {
    match store.operate(client, id, &mut operation) {
        Outcome::Reply(reply) => reply,
        Outcome::Blocked(refusal) => Reply::Refused(refusal),
    }
}

fn refused(reply: &Reply) -> Option<Refusal> {
    if let Reply::Refused(refusal) = reply { Some(*refusal) } else { None }
}

fn blob(length: usize) -> Blob {
    Blob(vec![1; length])
}

#[test]
fn room_is_taken_and_given_back_to_the_last_byte() {
    let mut store = Store::new(10, 10 * ENTRY);
    let dict = created(&mut store, Kind::Dict);
    let list = created(&mut store, Kind::List);
    let queue = created(&mut store, Kind::Queue(9));
    let set = |length| Operation::DictSet(blob(4), blob(length));
    assert!(refused(&done(&mut store, 1, dict, set(ENTRY))).is_none());
    assert!(refused(&done(&mut store, 1, list, Operation::ListAppend(blob(ENTRY)))).is_none());
    assert!(refused(&done(&mut store, 1, queue, Operation::Put(blob(ENTRY), None))).is_none());
    assert_eq!(store.room.used, 2 * (ENTRY + 4) + 6 * ENTRY);
    for (id, more) in [
        (dict, set(4 * ENTRY)),
        (list, Operation::ListSet(0, blob(4 * ENTRY))),
        (list, Operation::ListAppend(blob(2 * ENTRY))),
        (queue, Operation::Put(blob(2 * ENTRY), None)),
    ] {
        assert_eq!(refused(&done(&mut store, 1, id, more)), Some(Refusal::NoRoom));
    }
    done(&mut store, 1, dict, set(0));
    done(&mut store, 1, dict, Operation::DictRemove(blob(4)));
    done(&mut store, 1, list, Operation::ListPop);
    assert!(matches!(done(&mut store, 1, queue, Operation::Get(None)), Reply::Item(_)));
    assert_eq!(store.room.used, 2 * ENTRY, "an item on its way still takes room");
    assert!(store.taken(1));
    assert_eq!(store.room.used, 0);
    done(&mut store, 1, dict, set(1));
    done(&mut store, 1, dict, Operation::Clear);
    done(&mut store, 1, list, Operation::ListAppend(blob(1)));
    done(&mut store, 1, list, Operation::Clear);
    assert_eq!(store.room.used, 0);
}

#[test]
fn objects_are_bounded() {
    let mut store = Store::new(2, 1000);
    created(&mut store, Kind::Lock);
    created(&mut store, Kind::Lock);
    assert_eq!(refused(&store.create(Kind::Lock)), Some(Refusal::Objects));
}

#[test]
fn an_object_does_only_what_its_kind_does() {
    let mut store = Store::new(10, 1000);
    let lock = created(&mut store, Kind::Lock);
    let list = created(&mut store, Kind::List);
    for (id, wrong) in [(lock, Operation::ListAll), (list, Operation::Get(None)), (77, Operation::Len)] {
        assert_eq!(refused(&done(&mut store, 1, id, wrong)), Some(Refusal::NoSuchObject));
    }
    assert_eq!(refused(&done(&mut store, 1, lock, Operation::Release)), Some(Refusal::NotHeld));
}

#[test]
fn an_item_that_did_not_arrive_is_the_oldest_again() {
    let mut store = Store::new(10, 1000);
    let queue = created(&mut store, Kind::Queue(2));
    for n in [1, 2] {
        done(&mut store, 1, queue, Operation::Put(blob(n), None));
    }
    assert!(matches!(done(&mut store, 7, queue, Operation::Get(None)), Reply::Item(item) if item == blob(1)));
    done(&mut store, 1, queue, Operation::Close);
    assert!(matches!(done(&mut store, 8, queue, Operation::Get(None)), Reply::Item(item) if item == blob(2)));
    assert!(store.taken(8));
    let end = |store: &mut Store| refused(&done(store, 8, queue, Operation::Get(None)));
    assert_eq!(end(&mut store), Some(Refusal::Empty), "the first one may come back");
    store.end(7);
    assert!(matches!(done(&mut store, 8, queue, Operation::Get(None)), Reply::Item(item) if item == blob(1)));
    assert!(store.taken(8) && !store.taken(8));
    assert_eq!(end(&mut store), Some(Refusal::Ended));
}

#[test]
fn a_lock_of_the_dead_is_free_and_says_so_once() {
    let mut store = Store::new(10, 1000);
    let lock = created(&mut store, Kind::Lock);
    let died = |reply: Reply| matches!(reply, Reply::Acquired { owner_died: true });
    assert!(!died(done(&mut store, 1, lock, Operation::Acquire(None))));
    store.end(2);
    assert_eq!(refused(&done(&mut store, 3, lock, Operation::Acquire(None))), Some(Refusal::Locked));
    store.end(1);
    assert!(died(done(&mut store, 3, lock, Operation::Acquire(None))));
    done(&mut store, 3, lock, Operation::Release);
    assert!(matches!(
        done(&mut store, 4, lock, Operation::Acquire(None)),
        Reply::Acquired { owner_died: false }
    ));
}

#[test]
fn who_waits_is_rung_and_forgotten() {
    let mut store = Store::new(10, 1000);
    let queue = created(&mut store, Kind::Queue(1));
    let bell = Arc::new(EventFd::from_flags(nix::sys::eventfd::EfdFlags::EFD_NONBLOCK).unwrap());
    store.wait_for_change(5, queue, &bell);
    assert!(bell.read().is_err());
    done(&mut store, 1, queue, Operation::Put(blob(1), None));
    assert_eq!(bell.read().unwrap(), 1);
    for leave in [Store::end as fn(&mut Store, u64), |store, client| store.stop_waiting(client, 1)] {
        store.wait_for_change(5, queue, &bell);
        leave(&mut store, 5);
        assert_eq!(Arc::strong_count(&bell), 1, "nothing is kept of who is gone");
    }
}
