//! The objects, in the memory of the manager's process. It knows bytes, no types.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::take;
use std::sync::Arc;

use nix::sys::eventfd::EventFd;

use super::messages::{Blob, Kind, Operation, Refusal, Reply};
use super::{ENTRY, MESSAGE_MAX};

/// A client, by its number.
pub(super) type Client = u64;

/// What came of an operation.
#[derive(Debug)]
pub(super) enum Outcome {
    Reply(Reply),
    /// It has to wait; if it may not, this is why it is refused.
    Blocked(Refusal),
}

/// All objects.
pub(super) struct Store {
    objects: HashMap<u64, Object>,
    objects_max: usize,
    last: u64,
    room: Room,
    /// Items that a client was sent and that it has not said to have: their queue goes on owning them.
    deliveries: HashMap<Client, (u64, Blob)>,
}

struct Object {
    held: Held,
    /// Who waits for a change of it.
    waiting: Vec<(Client, Arc<EventFd>)>,
}

enum Held {
    Dict(Dict),
    List(Vec<Blob>),
    Queue(Queue),
    Lock(Lock),
}

/// In the order in which the keys were first set, as Python's.
#[derive(Default)]
struct Dict {
    entries: HashMap<Blob, (u64, Blob)>,
    order: BTreeMap<u64, Blob>,
    last: u64,
}

struct Queue {
    items: VecDeque<Blob>,
    capacity: usize,
    closed: bool,
    /// How many of its items are on their way to clients.
    on_the_way: usize,
}

#[derive(Default)]
struct Lock {
    holder: Option<Client>,
    owner_died: bool,
}

/// How many bytes all values take.
struct Room {
    used: usize,
    most: usize,
}

impl Room {
    /// These bytes come, and those go.
    fn change(&mut self, come: usize, go: usize) -> Result<(), Refusal> {
        let used = (self.used + come).saturating_sub(go);
        if come > go && used > self.most {
            return Err(Refusal::NoRoom);
        }
        self.used = used;
        Ok(())
    }

    fn free(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

fn size(value: &Blob) -> usize {
    value.0.len() + ENTRY
}

impl Store {
    pub(super) fn new(objects_max: usize, bytes_max: usize) -> Self {
        let room = Room { used: 0, most: bytes_max };
        Self { objects: HashMap::new(), objects_max, last: 0, room, deliveries: HashMap::new() }
    }

    /// Makes an object.
    pub(super) fn create(&mut self, kind: Kind) -> Reply {
        if self.objects.len() >= self.objects_max {
            return Reply::Refused(Refusal::Objects);
        }
        let held = match kind {
            Kind::Dict => Held::Dict(Dict::default()),
            Kind::List => Held::List(Vec::new()),
            Kind::Queue(capacity) => Held::Queue(Queue {
                items: VecDeque::new(),
                capacity: usize::try_from(capacity).unwrap_or(usize::MAX).max(1),
                closed: false,
                on_the_way: 0,
            }),
            Kind::Lock => Held::Lock(Lock::default()),
        };
        self.last += 1;
        self.objects.insert(self.last, Object { held, waiting: Vec::new() });
        Reply::Created(self.last)
    }

    /// Does it, or says why not. What a blocked operation carries stays in it.
    pub(super) fn operate(&mut self, client: Client, id: u64, operation: &mut Operation) -> Outcome {
        let Some(object) = self.objects.get_mut(&id) else {
            return Outcome::Reply(Reply::Refused(Refusal::NoSuchObject));
        };
        let outcome = match &mut object.held {
            Held::Dict(dict) => dict.operate(operation, &mut self.room),
            Held::List(list) => operate_list(list, operation, &mut self.room),
            Held::Queue(queue) => queue.operate(operation, &mut self.room),
            Held::Lock(lock) => lock.operate(client, operation),
        };
        match outcome {
            Ok(reply) => {
                if let Reply::Item(item) = &reply {
                    self.deliveries.insert(client, (id, item.clone()));
                }
                if matches!(operation, Operation::Put(..) | Operation::Close | Operation::Release) {
                    object.wake();
                } else if matches!(reply, Reply::Item(_)) {
                    // there is room for another
                    object.wake();
                }
                Outcome::Reply(reply)
            }
            Err(refusal @ (Refusal::Full | Refusal::Empty | Refusal::Locked)) => Outcome::Blocked(refusal),
            Err(refusal) => Outcome::Reply(Reply::Refused(refusal)),
        }
    }

    /// Rings at the next change of the object. To be called before anybody else can change it: under the same lock as the
    /// operation that has to wait.
    pub(super) fn wait_for_change(&mut self, client: Client, id: u64, bell: &Arc<EventFd>) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.waiting.push((client, Arc::clone(bell)));
        }
    }

    pub(super) fn stop_waiting(&mut self, client: Client, id: u64) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.waiting.retain(|(waiting, _)| *waiting != client);
        }
    }

    /// The item that this client was sent has arrived. `false`: it was sent none.
    pub(super) fn taken(&mut self, client: Client) -> bool {
        let Some((id, item)) = self.deliveries.remove(&client) else { return false };
        self.room.free(size(&item));
        self.settle(id, None);
        true
    }

    pub(super) fn delivers_to(&self, client: Client) -> bool {
        self.deliveries.contains_key(&client)
    }

    /// The client is gone: what it was sent and has not taken goes back to where it was, and what it held is free.
    pub(super) fn end(&mut self, client: Client) {
        if let Some((id, item)) = self.deliveries.remove(&client) {
            self.settle(id, Some(item));
        }
        for object in self.objects.values_mut() {
            object.waiting.retain(|(waiting, _)| *waiting != client);
            if let Held::Lock(lock) = &mut object.held
                && lock.holder == Some(client)
            {
                *lock = Lock { holder: None, owner_died: true };
                object.wake();
            }
        }
    }

    /// An item is not on its way any more: it has arrived, or it is the oldest one again.
    fn settle(&mut self, id: u64, back: Option<Blob>) {
        if let Some(object) = self.objects.get_mut(&id)
            && let Held::Queue(queue) = &mut object.held
        {
            queue.on_the_way -= 1;
            if let Some(item) = back {
                queue.items.push_front(item);
            }
            object.wake();
        }
    }
}

impl Object {
    /// All who wait look again; who has to wait on says so again.
    fn wake(&mut self) {
        for (_, bell) in self.waiting.drain(..) {
            // (it can only fail if it has rung 2^64 times unheard)
            let _ = bell.write(1);
        }
    }
}

impl Dict {
    fn operate(&mut self, operation: &mut Operation, room: &mut Room) -> Result<Reply, Refusal> {
        match operation {
            Operation::Len => Ok(Reply::Number(self.entries.len() as u64)),
            Operation::Clear => {
                let all = self.entries.drain();
                room.free(all.map(|(key, (_, value))| 2 * size(&key) + size(&value)).sum());
                self.order.clear();
                Ok(Reply::Done)
            }
            Operation::DictGet(key) => {
                Ok(Reply::Value(self.entries.get(key).map(|(_, value)| value.clone())))
            }
            Operation::DictSet(key, value) => self.set(take(key), take(value), room),
            Operation::DictRemove(key) => {
                let Some((place, value)) = self.entries.remove(key) else { return Ok(Reply::Value(None)) };
                self.order.remove(&place);
                room.free(2 * size(key) + size(&value));
                Ok(Reply::Value(Some(value)))
            }
            Operation::DictContains(key) => Ok(Reply::Truth(self.entries.contains_key(key))),
            Operation::DictItems => {
                let pairs = self
                    .order
                    .values()
                    .filter_map(|key| self.entries.get(key).map(|(_, value)| (key.clone(), value.clone())));
                fits(self.entries.iter().map(|(key, (_, value))| key.0.len() + value.0.len()))?;
                Ok(Reply::Pairs(pairs.collect()))
            }
            Operation::DictKeys => {
                fits(self.order.values().map(|key| key.0.len()))?;
                Ok(Reply::Values(self.order.values().cloned().collect()))
            }
            _ => Err(Refusal::NoSuchObject),
        }
    }

    fn set(&mut self, key: Blob, value: Blob, room: &mut Room) -> Result<Reply, Refusal> {
        if let Some((_, old)) = self.entries.get_mut(&key) {
            room.change(size(&value), size(old))?;
            *old = value;
            return Ok(Reply::Done);
        }
        // (the key is kept twice)
        room.change(2 * size(&key) + size(&value), 0)?;
        self.last += 1;
        self.order.insert(self.last, key.clone());
        self.entries.insert(key, (self.last, value));
        Ok(Reply::Done)
    }
}

fn operate_list(list: &mut Vec<Blob>, operation: &mut Operation, room: &mut Room) -> Result<Reply, Refusal> {
    let place = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
    match operation {
        Operation::Len => Ok(Reply::Number(list.len() as u64)),
        Operation::Clear => {
            room.free(list.drain(..).map(|value| size(&value)).sum());
            Ok(Reply::Done)
        }
        Operation::ListAppend(value) => {
            room.change(size(value), 0)?;
            list.push(take(value));
            Ok(Reply::Done)
        }
        Operation::ListGet(index) => Ok(Reply::Value(list.get(place(*index)).cloned())),
        Operation::ListSet(index, value) => {
            let old = list.get_mut(place(*index)).ok_or(Refusal::OutOfRange)?;
            room.change(size(value), size(old))?;
            *old = take(value);
            Ok(Reply::Done)
        }
        Operation::ListPop => {
            let value = list.pop();
            room.free(value.as_ref().map_or(0, size));
            Ok(Reply::Value(value))
        }
        Operation::ListAll => {
            fits(list.iter().map(|value| value.0.len()))?;
            Ok(Reply::Values(list.clone()))
        }
        _ => Err(Refusal::NoSuchObject),
    }
}

impl Queue {
    fn operate(&mut self, operation: &mut Operation, room: &mut Room) -> Result<Reply, Refusal> {
        match operation {
            Operation::Len => Ok(Reply::Number(self.items.len() as u64)),
            Operation::Capacity => Ok(Reply::Number(self.capacity as u64)),
            Operation::Put(..) if self.closed => Err(Refusal::Closed),
            Operation::Put(..) if self.items.len() >= self.capacity => Err(Refusal::Full),
            Operation::Put(value, _) => {
                room.change(size(value), 0)?;
                self.items.push_back(take(value));
                Ok(Reply::Done)
            }
            Operation::Get(_) => match self.items.pop_front() {
                Some(item) => {
                    self.on_the_way += 1;
                    Ok(Reply::Item(item))
                }
                // an item that is on its way may come back
                None if self.closed && self.on_the_way == 0 => Err(Refusal::Ended),
                None => Err(Refusal::Empty),
            },
            Operation::Close => {
                self.closed = true;
                Ok(Reply::Done)
            }
            _ => Err(Refusal::NoSuchObject),
        }
    }
}

impl Lock {
    fn operate(&mut self, client: Client, operation: &Operation) -> Result<Reply, Refusal> {
        match operation {
            Operation::Acquire(_) if self.holder.is_some() => Err(Refusal::Locked),
            Operation::Acquire(_) => {
                self.holder = Some(client);
                Ok(Reply::Acquired { owner_died: take(&mut self.owner_died) })
            }
            Operation::Release if self.holder == Some(client) => {
                self.holder = None;
                Ok(Reply::Done)
            }
            Operation::Release => Err(Refusal::NotHeld),
            _ => Err(Refusal::NoSuchObject),
        }
    }
}

/// Whether all of them fit into one message, each with its length.
fn fits(lengths: impl Iterator<Item = usize>) -> Result<(), Refusal> {
    const LENGTH: usize = 8;
    let bytes: usize = lengths.map(|length| length + LENGTH).sum();
    if bytes > MESSAGE_MAX { Err(Refusal::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
