//! The result of a task that may not be done yet.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use super::core::Core;
use super::error::TaskError;
use super::shared::FOR_RESULTS;
use crate::mp::Wait;

/// What the tasks of one message came to.
pub(super) type Outcome<R> = Result<Vec<R>, TaskError>;

/// Where the outcome is put.
#[derive(Debug)]
pub(super) struct Slot<R>(RefCell<State<R>>);

#[derive(Debug)]
enum State<R> {
    Waiting,
    /// Its callback runs, and has it.
    AtCallback,
    Settled(Outcome<R>),
}

impl<R> Slot<R> {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self(RefCell::new(State::Waiting)))
    }

    pub(super) fn at_callback(&self) {
        self.0.replace(State::AtCallback);
    }

    pub(super) fn settle(&self, outcome: Outcome<R>) {
        self.0.replace(State::Settled(outcome));
    }

    /// There is nothing to wait for.
    pub(super) fn is_settled(&self) -> bool {
        !matches!(*self.0.borrow(), State::Waiting)
    }

    pub(super) fn take(&self) -> Outcome<R> {
        let mut state = self.0.borrow_mut();
        match mem::replace(&mut *state, State::Settled(Err(TaskError::Terminated))) {
            State::Settled(outcome) => outcome,
            at_callback @ State::AtCallback => {
                *state = at_callback;
                Err(TaskError::InItsOwnCallback)
            }
            State::Waiting => Err(TaskError::Terminated),
        }
    }
}

/// The result of a task that was given to a [`Pool`](super::Pool), which may not be done yet. Python calls it `AsyncResult`.
///
/// Whoever drops it does not want the result: the task is run all the same.
pub struct Handle<'a, R> {
    core: Rc<Core<'a, R>>,
    slot: Rc<Slot<R>>,
}

impl<'a, R: serde::de::DeserializeOwned> Handle<'a, R> {
    pub(super) fn new(core: Rc<Core<'a, R>>, slot: Rc<Slot<R>>) -> Self {
        Self { core, slot }
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// The task panicked, or its worker died, or the pool was terminated.
    pub fn get(self) -> Result<R, TaskError> {
        let settled = self.core.wait_until(Wait::Forever, FOR_RESULTS, || self.slot.is_settled());
        settled.map_err(TaskError::Refused)?;
        self.taken()
    }

    /// Waits for the result no longer than this.
    ///
    /// # Errors
    /// The outer one is this handle again: the time is over. The inner one is that of [`Self::get`].
    pub fn get_within(self, span: Duration) -> Result<Result<R, TaskError>, Self> {
        let slot = Rc::clone(&self.slot);
        match self.core.wait_until(Wait::at_most(span), FOR_RESULTS, || slot.is_settled()) {
            Ok(true) => Ok(self.taken()),
            Ok(false) => Err(self),
            Err(e) => Ok(Err(TaskError::Refused(e))),
        }
    }

    /// Whether [`Self::get`] would not wait. (Collects what has come.)
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let slot = &self.slot;
        self.core.wait_until(Wait::No, FOR_RESULTS, || slot.is_settled()).unwrap_or(true)
    }

    fn taken(self) -> Result<R, TaskError> {
        let none = || TaskError::Unreadable("no value came".to_owned());
        self.slot.take()?.pop().ok_or_else(none)
    }
}

impl<R> std::fmt::Debug for Handle<'_, R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Handle")
            .field("settled", &!matches!(*self.slot.0.borrow(), State::Waiting))
            .finish()
    }
}
