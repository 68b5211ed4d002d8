//! One timer for the earliest of many things that wait for a time.

use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::service::Service;
use crate::engine::{Arranged, Restored, Ticket, Weight};
use crate::value::DateTime;

/// A timer that calls `ring` when the time has come for which it was set; what
/// is called hands [`Rung`] back to it first of all.
#[derive(Debug)]
pub(super) struct Waker {
    service: Weak<Service>,
    ring: fn(&Service, Rung),
    timer: Mutex<Timer>,
}

/// A time that has come; for [`Waker::rang`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Rung(u64);

/// What is waiting, with a number that no other has.
#[derive(Debug, Default)]
struct Timer {
    number: u64,
    ticket: Option<Ticket>,
    /// The number of the last one that rang.
    rang: u64,
}

impl Waker {
    /// A timer that is not set.
    pub(super) fn new(service: Weak<Service>, ring: fn(&Service, Rung)) -> Self {
        Self { service, ring, timer: Mutex::default() }
    }

    /// Sees to it that it rings at `next`, or earlier.
    pub(super) fn set(&self, service: &Service, next: DateTime) {
        let mut timer = self.timer();
        match timer.ticket {
            Some(ticket) if ticket.due() <= next => return,
            Some(ticket) => drop(service.engine().forget_call(ticket)),
            None => {}
        }
        timer.number += 1;
        let call = self.call(timer.number);
        // What is due at once would be done in here, with the timer locked.
        let wait = next.since(service.engine().now()).max(Duration::from_micros(1));
        timer.ticket = Some(service.engine().after(wait, Weight::Work, call));
    }

    /// What it waits for, for a state that is saved.
    pub(super) fn ticket(&self) -> Option<Ticket> {
        self.timer().ticket
    }

    /// Has `restore` bring back a state in which it waited for `saved`, with the
    /// timer in its old place among all that waits.
    pub(super) fn restore(
        &self,
        saved: Option<Ticket>,
        restore: impl FnOnce(&mut dyn FnMut(Ticket) -> Option<Arranged>) -> Restored,
    ) -> Restored {
        let (number, before) = {
            let mut timer = self.timer();
            timer.number += 1;
            (timer.number, timer.ticket.take())
        };
        if let Some((service, ticket)) = self.service.upgrade().zip(before) {
            service.engine().forget_call(ticket);
        }
        let restored = restore(&mut |ticket| (saved == Some(ticket)).then(|| self.call(number)));
        let mut timer = self.timer();
        if timer.number == number && timer.rang != number {
            timer.ticket = saved.and_then(|then| restored.calls.get(&then).copied());
        }
        drop(timer);
        restored
    }

    /// What the timer with this number does when its time has come.
    fn call(&self, number: u64) -> Arranged {
        let (then, ring) = (self.service.clone(), self.ring);
        Box::new(move |_| {
            if let Some(service) = then.upgrade() {
                ring(&service, Rung(number));
            }
        })
    }

    /// It has rung, and can be set again.
    pub(super) fn rang(&self, Rung(number): Rung) {
        let mut timer = self.timer();
        timer.rang = number;
        if timer.number == number {
            timer.ticket = None;
        }
    }

    fn timer(&self) -> MutexGuard<'_, Timer> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
