//! The one queue of everything that waits for a time.
//!
//! What is due comes out ordered by time and, within the same instant, in the
//! order in which it went in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::clock::Clock;
use crate::value::DateTime;

/// Something in the queue, to take it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    due: DateTime,
    sequence: u64,
}

impl Ticket {
    /// When it is due.
    pub const fn due(self) -> DateTime {
        self.due
    }
}

/// Whether something in the queue is a reason to move a stepped clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Work: "the next event" may be this one.
    Work,
    /// Housekeeping that happens when its time comes, but that nobody steps to.
    Background,
}

/// The queue of what waits for a time.
pub struct Scheduler<E> {
    queue: Mutex<Queue<E>>,
    changed: Condvar,
}

struct Queue<E> {
    entries: BTreeMap<Ticket, (Weight, E)>,
    /// When those are due that are due at another time than their tickets say,
    /// by the sequence of the tickets.
    moved: BTreeMap<u64, DateTime>,
    sequence: u64,
    stopped: bool,
}

impl<E> Scheduler<E> {
    /// An empty queue.
    pub const fn new() -> Self {
        let queue =
            Queue { entries: BTreeMap::new(), moved: BTreeMap::new(), sequence: 0, stopped: false };
        Self { queue: Mutex::new(queue), changed: Condvar::new() }
    }

    /// Puts `event` into the queue, due at `due`.
    pub fn schedule(&self, due: DateTime, weight: Weight, event: E) -> Ticket {
        let mut queue = self.lock();
        queue.sequence += 1;
        let ticket = Ticket { due, sequence: queue.sequence };
        queue.entries.insert(ticket, (weight, event));
        let first = queue.entries.first_key_value().is_some_and(|(first, _)| *first == ticket);
        drop(queue);
        if first {
            self.changed.notify_all();
        }
        ticket
    }

    /// Takes something out of the queue; nothing when it is no longer there.
    pub fn cancel(&self, ticket: Ticket) -> Option<E> {
        let mut queue = self.lock();
        let due = queue.moved.remove(&ticket.sequence).unwrap_or(ticket.due);
        queue.entries.remove(&Ticket { due, ..ticket }).map(|(_, event)| event)
    }

    /// Everything that waits, in its order; `copy` makes copies.
    pub(super) fn list<C>(&self, copy: impl Fn(&E) -> C) -> Vec<(Ticket, Weight, C)> {
        let queue = self.lock();
        let entries = queue.entries.iter();
        entries.map(|(ticket, (weight, event))| (*ticket, *weight, copy(event))).collect()
    }

    /// Forgets everything but what is to be kept, which is due so many
    /// microseconds later, or earlier.
    pub(super) fn clear(&self, later: i64, keep: impl Fn(&E) -> bool) {
        let mut queue = self.lock();
        let entries = std::mem::take(&mut queue.entries);
        let moved = std::mem::take(&mut queue.moved);
        for (ticket, entry) in entries.into_iter().filter(|(_, (_, event))| keep(event)) {
            let due = DateTime::from_micros(ticket.due.micros().saturating_add(later));
            if later != 0 || moved.contains_key(&ticket.sequence) {
                queue.moved.insert(ticket.sequence, due);
            }
            queue.entries.insert(Ticket { due, ..ticket }, entry);
        }
    }

    /// Takes out the first thing that is due at `time` or before.
    pub fn take_due(&self, time: DateTime) -> Option<(DateTime, E)> {
        let mut queue = self.lock();
        let first = queue.entries.first_entry().filter(|entry| entry.key().due <= time)?;
        let Ticket { due, sequence } = *first.key();
        let (_, event) = first.remove();
        queue.moved.remove(&sequence);
        Some((due, event))
    }

    /// When the next work is due.
    pub fn next_work(&self) -> Option<DateTime> {
        let queue = self.lock();
        // Housekeeping is a handful of entries at the most.
        let mut entries = queue.entries.iter();
        entries.find(|(_, (weight, _))| *weight == Weight::Work).map(|(ticket, _)| ticket.due)
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// Sleeps until something is due by a real `clock` and takes it out.
    /// While the clock is stepped, whoever moves it does what is due, so this
    /// only sleeps. Nothing once the queue is stopped.
    pub(super) fn wait(&self, clock: &Clock) -> Option<E> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            let due = queue.entries.first_key_value().map(|(ticket, _)| ticket.due);
            let until = due.filter(|_| !clock.is_stepped()).and_then(|due| clock.until(due));
            queue = match until {
                Some(time) if time.is_zero() => {
                    let (ticket, (_, event)) = queue.entries.pop_first()?;
                    queue.moved.remove(&ticket.sequence);
                    return Some(event);
                }
                Some(time) => {
                    let waited = self.changed.wait_timeout(queue, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Wakes whoever sleeps in [`Scheduler::wait`] to look at the clock again.
    pub(super) fn nudge(&self) {
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Sends whoever sleeps in [`Scheduler::wait`] away for good.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue<E>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Default for Scheduler<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Scheduler<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> DateTime {
        DateTime::EPOCH.after(Duration::from_secs(seconds))
    }

    fn drain(scheduler: &Scheduler<u32>, time: DateTime) -> Vec<u32> {
        std::iter::from_fn(|| scheduler.take_due(time)).map(|(_, event)| event).collect()
    }

    #[test]
    fn a_thousand_due_in_the_same_instant_keep_their_order() {
        let scheduler = Scheduler::new();
        scheduler.schedule(at(2), Weight::Work, 5000);
        for event in 0..1000 {
            scheduler.schedule(at(1), Weight::Work, event);
        }
        scheduler.schedule(at(0), Weight::Work, 4000);
        let expected: Vec<u32> = std::iter::once(4000).chain(0..1000).collect();
        assert_eq!(drain(&scheduler, at(1)), expected);
        assert_eq!(drain(&scheduler, at(2)), [5000]);
    }

    #[test]
    fn what_is_cancelled_does_not_come() {
        let scheduler = Scheduler::new();
        let first = scheduler.schedule(at(1), Weight::Work, 1);
        scheduler.schedule(at(1), Weight::Work, 2);
        assert_eq!(scheduler.cancel(first), Some(1));
        assert_eq!(scheduler.cancel(first), None);
        assert_eq!(drain(&scheduler, at(1)), [2]);
    }

    #[test]
    fn housekeeping_is_not_the_next_work() {
        let scheduler = Scheduler::new();
        scheduler.schedule(at(1), Weight::Background, 1);
        assert_eq!(scheduler.next_work(), None);
        scheduler.schedule(at(9), Weight::Work, 2);
        assert_eq!(scheduler.next_work(), Some(at(9)));
    }

    #[test]
    fn what_was_moved_is_still_found_by_its_ticket() {
        let scheduler = Scheduler::new();
        let tickets = [5, 6, 7].map(|n| scheduler.schedule(at(n), Weight::Work, n as u32));
        scheduler.clear(-4_000_000, |event| *event != 6);
        assert_eq!(scheduler.cancel(tickets[1]), None);
        assert_eq!(scheduler.cancel(tickets[2]), Some(7));
        scheduler.clear(1_000_000, |_| true);
        assert_eq!(drain(&scheduler, at(1)), [0; 0]);
        assert_eq!(drain(&scheduler, at(2)), [5]);
        assert_eq!(scheduler.cancel(tickets[0]), None);
    }

    #[test]
    fn a_stopped_queue_lets_its_sleeper_go() {
        let scheduler = Scheduler::<u32>::new();
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| scheduler.wait(&Clock::stepped(at(0))));
            scheduler.stop();
            assert_eq!(sleeper.join().ok().flatten(), None);
        });
    }
}
