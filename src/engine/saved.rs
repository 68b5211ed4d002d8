//! The whole state at one moment, kept aside and brought back: objects, tasks,
//! events, the jobs at work, what they wait for, ids, chance, and time.
//!
//! ```text
//!   save ──► Saved: a snapshot, copies of the jobs, of the queue, of the seed
//!   restore ──► one more commit, whose changes are all differences
//! ```
//!
//! - Keeping costs what the jobs at work cost; objects are shared. Coming back
//!   costs what has changed since, as long as the change log reaches that far.
//! - Versions go on: whoever watches is told the difference like any other
//!   change, and misses nothing.
//! - A clock that was stepped when the state was saved stands where it stood. A
//!   real one goes on, and what waited has as long to wait as it had then.
//! - Calls that were arranged ([`Engine::after`], [`Engine::sleep`]) belong to
//!   whoever arranged them: those that wait now go on waiting, for as long as
//!   they would have. Of those that waited then, only what their owner makes
//!   anew comes back, at its old place in the order.

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::api::Engine;
use super::commit::{Jobs, Timing, lock};
use super::driver::Event;
use super::scheduler::{Ticket, Weight};
use crate::inventory::{Mark, Snapshot};
use crate::value::DateTime;

/// A call that is arranged.
pub type Arranged = Box<dyn FnOnce(&Engine) + Send>;

/// Everything that an engine knows, at one moment.
pub struct Saved {
    snapshot: Arc<Snapshot>,
    /// Keeps the commits after it.
    _mark: Mark,
    next_id: u64,
    seed: u64,
    now: DateTime,
    stepped: bool,
    /// Jobs are at one place at a time, even those that only wait to be copied.
    work: Mutex<Work>,
    director: Option<Arc<dyn Any + Send + Sync>>,
}

/// The jobs at work, and all that waits for a time; calls have no copies.
struct Work {
    jobs: Jobs,
    queue: Vec<(Ticket, Weight, Option<Event>)>,
}

impl Saved {
    /// What it was like.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// When it was, by the engine's clock.
    pub const fn time(&self) -> DateTime {
        self.now
    }

    /// How many jobs were at work.
    pub fn jobs(&self) -> usize {
        lock(&self.work).jobs.entries.len()
    }
}

/// What it took to bring a state back.
#[derive(Debug)]
pub struct Restored {
    /// Whether each difference is known. If not, the change log did not reach
    /// back, and what is computed about objects may differ besides.
    pub complete: bool,
    /// The new tickets of what waits, by those of then.
    pub calls: HashMap<Ticket, Ticket>,
}

impl Engine {
    /// Keeps the state aside. Must not be called from an arranged call.
    pub fn save(&self) -> Saved {
        let core = &self.core;
        // Nothing is half done meanwhile, and nobody commits.
        let _pump = self.pump();
        let Ok((saved, _)) = core.store.commit(|tx| {
            let jobs = lock(&core.jobs);
            let snapshot = core.store.snapshot();
            Ok::<_, Infallible>(Saved {
                _mark: snapshot.mark(),
                snapshot,
                next_id: tx.next_id(),
                seed: core.ids.state(),
                now: core.timing.clock.now(),
                stepped: core.timing.clock.is_stepped(),
                work: Mutex::new(Work {
                    jobs: jobs.clone(),
                    queue: core.timing.scheduler.list(Event::copy),
                }),
                director: core.director.save(),
            })
        });
        saved
    }

    /// Brings a state of this engine back, as often as wanted. `arrange` makes
    /// anew the calls that waited then, by their tickets, in the order in which
    /// they were due; what it does not make is left out. Must not be called
    /// from an arranged call.
    pub fn restore(
        &self,
        saved: &Saved,
        arrange: &mut dyn FnMut(Ticket) -> Option<Arranged>,
    ) -> Restored {
        let core = &self.core;
        let pump = self.pump();
        let mut restored = Restored { complete: false, calls: HashMap::new() };
        let Ok(_) = core.store.commit(|tx| {
            // With the writer locked, so that nothing is forgotten.
            let since = core.store.since(saved.snapshot.version());
            restored.complete = since.is_some();
            tx.restore(&saved.snapshot, saved.next_id, since.as_deref());
            core.ids.set_state(saved.seed);
            core.director.restore(saved.director.as_deref());
            let Timing { clock, scheduler } = &*core.timing;
            let before = clock.now();
            clock.restore(saved.now, saved.stepped);
            let now = clock.now();
            scheduler.clear(distance(before, now), |event| matches!(event, Event::Call(_)));
            let later = distance(saved.now, now);
            let work = lock(&saved.work);
            for (ticket, weight, event) in &work.queue {
                let event = match event.as_ref().and_then(Event::copy) {
                    Some(event) => event,
                    None => match arrange(*ticket) {
                        Some(call) => Event::Call(call),
                        None => continue,
                    },
                };
                let again = scheduler.schedule(moved(ticket.due(), later), *weight, event);
                restored.calls.insert(*ticket, again);
            }
            lock(&core.jobs).restore(&work.jobs, later, &restored.calls);
            Ok::<_, Infallible>(())
        });
        drop(pump);
        core.timing.scheduler.nudge();
        self.settle();
        restored
    }
}

/// How much later `to` is than `from`, in microseconds.
const fn distance(from: DateTime, to: DateTime) -> i64 {
    to.micros().saturating_sub(from.micros())
}

/// A time so many microseconds later.
pub(super) const fn moved(time: DateTime, later: i64) -> DateTime {
    DateTime::from_micros(time.micros().saturating_add(later))
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("version", &self.snapshot.version())
            .field("now", &self.now)
            .field("jobs", &self.jobs())
            .finish_non_exhaustive()
    }
}
