//! [`Hub`]: takes in commits, and wakes those whom they concern and nobody else.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;
use tokio::sync::Notify;

use super::ledger::{Happened, Kind, Ledger};
use super::legacy::Registrations;
use super::subscription::Subscription;
use crate::value::{MoRef, Str};
use crate::xenapi::server::Server;
use crate::xenapi::value::{Value, float_text};
use crate::xenapi::view::View;
use crate::xenapi::{class_named, class_of};

type Hasher = foldhash::fast::FixedState;

/// Who waits, by number.
type Waiting = SmallVec<[(u64, Arc<Notify>); 1]>;

/// What all calls about events share.
#[derive(Debug, Default)]
pub struct Hub {
    /// Whether anybody has asked for events yet.
    active: AtomicBool,
    ledger: Mutex<Ledger>,
    waiters: Arc<Mutex<Waiters>>,
    pub(super) registrations: Mutex<Registrations>,
    wakeups: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiters {
    last: u64,
    everything: Waiting,
    classes: BTreeMap<&'static str, Waiting>,
    objects: HashMap<MoRef, Waiting, Hasher>,
}

/// A place among those who wait. It is given up when dropped.
#[derive(Debug)]
pub(super) struct Waiter {
    number: u64,
    subscription: Subscription,
    wake: Arc<Notify>,
    waiters: Arc<Mutex<Waiters>>,
}

impl Hub {
    /// Whether anybody has asked for events yet.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// How often a call that waited has been woken.
    pub fn wakeups(&self) -> u64 {
        self.wakeups.load(Ordering::Relaxed)
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        let waiters = lock(&self.waiters);
        let classes = waiters.classes.values().map(SmallVec::len).sum::<usize>();
        let objects = waiters.objects.values().map(SmallVec::len).sum::<usize>();
        waiters.everything.len() + classes + objects
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Somebody asks for events: from now on commits are taken in.
    pub(super) fn activate(&self, server: &Arc<Server>) {
        if self.is_active() {
            return;
        }
        let mut ledger = self.ledger();
        if self.active.swap(true, Ordering::AcqRel) {
            return;
        }
        // Whoever asked inside a commit whether somebody listens, and was told
        // that nobody does, has done so before this one.
        let _ = server.service().engine().commit(|_| Ok(()));
        ledger.begin(&View::new(server));
    }

    /// Something has changed; called after each commit.
    pub(in crate::xenapi) fn on_commit(&self, server: &Arc<Server>) {
        if self.is_active() {
            drop(self.catch_up(server));
        }
    }

    /// The ledger, and the state that it is of: the latest. Whoever gets there
    /// first takes in what commits did and tells those who wait.
    pub(super) fn catch_up<'s>(
        &self,
        server: &'s Arc<Server>,
    ) -> (MutexGuard<'_, Ledger>, View<'s>) {
        let mut ledger = self.ledger();
        let view = View::new(server);
        let version = view.state().version();
        if version == ledger.seen() {
            return (ledger, view);
        }
        let happened = match server.service().engine().store().since(ledger.seen()) {
            Some(commits) => {
                let known = commits.iter().filter(|commit| commit.version <= version);
                known.flat_map(|commit| ledger.take_in(&view, commit)).collect()
            }
            None => ledger.start_over(&view),
        };
        // Still with the ledger, so that queues are in the order of commits.
        lock(&self.registrations).push(&happened, |event| {
            let time = server.service().engine().now();
            let seconds = time.micros() as f64 / 1e6;
            show(&view, event, &float_text(seconds))
        });
        self.wake(&happened);
        (ledger, view)
    }

    fn wake(&self, happened: &[Happened]) {
        let waiters = lock(&self.waiters);
        for event in happened {
            let of_class = waiters.classes.get(class_of(event.object.ty()));
            let of_object = waiters.objects.get(&event.object);
            let lists = [Some(&waiters.everything), of_class, of_object];
            for (_, wake) in lists.into_iter().flatten().flatten() {
                wake.notify_one();
            }
        }
    }

    /// A place among those who wait. What has happened is to be looked at after
    /// this: nothing is lost in between.
    pub(super) fn wait(&self, subscription: Subscription) -> Waiter {
        let wake = Arc::new(Notify::new());
        let mut waiters = lock(&self.waiters);
        waiters.last += 1;
        let number = waiters.last;
        if subscription.all {
            waiters.everything.push((number, wake.clone()));
        }
        for class in &subscription.classes {
            waiters.classes.entry(class).or_default().push((number, wake.clone()));
        }
        for mo in &subscription.objects {
            waiters.objects.entry(mo.clone()).or_default().push((number, wake.clone()));
        }
        Waiter { number, subscription, wake, waiters: self.waiters.clone() }
    }

    /// Somebody was woken.
    pub(super) fn count_wakeup(&self) {
        self.wakeups.fetch_add(1, Ordering::Relaxed);
    }
}

impl Waiter {
    /// Waits until something happens that the place is for.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiters = lock(&self.waiters);
        let leave = |waiting: &mut Waiting| waiting.retain(|(number, _)| *number != self.number);
        leave(&mut waiters.everything);
        for class in &self.subscription.classes {
            waiters.classes.get_mut(class).map(leave);
        }
        for mo in &self.subscription.objects {
            if let Some(waiting) = waiters.objects.get_mut(mo) {
                leave(waiting);
                if waiting.is_empty() {
                    waiters.objects.remove(mo);
                }
            }
        }
    }
}

/// An event as clients read it; nothing if what is to be shown is gone by now,
/// which another event will tell.
pub(super) fn show(view: &View<'_>, event: &Happened, timestamp: &str) -> Option<Value> {
    let Happened { kind, version, object } = event;
    let class = class_named(class_of(object.ty()))?;
    let mut fields = vec![
        ("id", Value::text(version.to_string())),
        ("timestamp", Value::text(timestamp)),
        ("class", Value::text(class.name.to_ascii_lowercase())),
        ("operation", Value::text(kind.name())),
        ("ref", Value::String(view.reference(object))),
    ];
    if *kind != Kind::Del {
        if !(class.exists)(view, object) {
            return None;
        }
        fields.push(("snapshot", class.record(view, object)));
    }
    Some(Value::Map(fields.into_iter().map(|(name, value)| (Str::from(name), value)).collect()))
}

/// Nothing panics while one of these is held that would leave it half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
