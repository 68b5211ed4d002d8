//! Which filter depends on which object: a commit finds the filters that it
//! concerns here, and no others.
//!
//! A filter subscribes to an object *before* it reads the object from a
//! snapshot. A commit that the snapshot does not have is then certain to leave
//! its mark, and one that it does have leaves at most a mark too many. So
//! nothing is lost, and nobody compares versions or reads a log.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use smallvec::SmallVec;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::inventory::Commit;
use crate::value::MoRef;

type Hasher = foldhash::fast::FixedState;

/// Commits and filters rarely meet in the same part.
const SHARDS: usize = 64;

/// Below this, a subscriber remembers each changed object, however few it watches.
const FEW: usize = 256;

/// The index from objects to the filters that depend on them.
#[derive(Debug)]
pub struct Subscriptions {
    shards: [Mutex<Shard>; SHARDS],
    hasher: Hasher,
    last_id: AtomicU64,
    listeners: Listeners,
    /// For those who subscribe to very much at once.
    large: Semaphore,
}

#[derive(Default)]
struct Listeners(RwLock<Vec<Listener>>);

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listeners")
    }
}

/// Called after each commit; must be quick and must not commit.
pub(super) type Listener = Box<dyn Fn() + Send + Sync>;

/// How many filters may look at everything at the same time.
const LARGE_LOOKS: usize = 2;

/// Subscribers of one object, by id.
type Subscribers = SmallVec<[Arc<Inner>; 1]>;
type Shard = HashMap<MoRef, Subscribers, Hasher>;

/// One filter's place in the index. It leaves the index when dropped.
#[derive(Debug)]
pub(super) struct Subscriber {
    inner: Arc<Inner>,
    index: Arc<Subscriptions>,
    objects: HashSet<MoRef, Hasher>,
}

#[derive(Debug)]
struct Inner {
    id: u64,
    dirty: Mutex<Dirty>,
    wake: Arc<Notify>,
}

/// What changed since the subscriber last asked.
#[derive(Debug, Default)]
struct Dirty {
    order: Vec<MoRef>,
    known: HashSet<MoRef, Hasher>,
    /// How many objects to remember before everything counts as changed.
    limit: usize,
    all: bool,
}

/// Wakes one caller when an object changes. It leaves the index when dropped.
#[derive(Debug)]
pub struct Watch {
    subscriber: Subscriber,
    wake: Arc<Notify>,
}

impl Watch {
    /// Waits until the object has changed since the watch began, or since the
    /// latest call of this.
    pub async fn changed(&mut self) {
        self.wake.notified().await;
        self.subscriber.take();
    }
}

/// The objects that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// These, each once, in the order of their first change.
    These(Vec<MoRef>),
    /// So many that a look at everything costs less than remembering them.
    Anything,
}

impl Subscriptions {
    /// An empty index.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: Hasher::default(),
            last_id: AtomicU64::new(0),
            listeners: Listeners::default(),
            large: Semaphore::new(LARGE_LOOKS),
        })
    }

    /// Waits for a turn to look at very much.
    pub(super) async fn large_look(&self) -> Option<SemaphorePermit<'_>> {
        self.large.acquire().await.ok()
    }

    /// A new subscriber without subscriptions; `wake` is notified of changes.
    pub(super) fn subscriber(self: &Arc<Self>, wake: Arc<Notify>) -> Subscriber {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let dirty = Dirty { limit: FEW, ..Dirty::default() };
        Subscriber {
            inner: Arc::new(Inner { id, dirty: Mutex::new(dirty), wake }),
            index: Arc::clone(self),
            objects: HashSet::default(),
        }
    }

    /// Watches one object. Read it after this: a change that the reader does not
    /// see is then certain to wake it.
    pub fn watch(self: &Arc<Self>, mo: &MoRef) -> Watch {
        let wake = Arc::new(Notify::new());
        let mut subscriber = self.subscriber(wake.clone());
        subscriber.subscribe(mo);
        Watch { subscriber, wake }
    }

    /// Marks what a commit touched and wakes whom it concerns.
    pub fn on_commit(&self, commit: &Commit) {
        for change in commit.changes.iter() {
            self.touch(&change.object);
        }
        for listener in self.listeners.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener();
        }
    }

    /// Has `listener` called after each commit, whatever it is about.
    pub fn listen(&self, listener: Listener) {
        self.listeners.0.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Marks one object as changed and wakes whom it concerns: for what belongs
    /// to a session and is in no snapshot.
    pub fn touch(&self, mo: &MoRef) {
        if let Some(subscribers) = self.shard(mo).get(mo) {
            for subscriber in subscribers {
                subscriber.mark(mo);
            }
        }
    }

    /// Marks everything as changed, for everyone: for what decides how all
    /// objects look.
    pub fn touch_all(&self) {
        let mut told = HashSet::new();
        for shard in &self.shards {
            for subscriber in lock(shard).values().flatten() {
                if told.insert(subscriber.id) {
                    subscriber.mark_all();
                }
            }
        }
    }

    /// How many objects have a subscriber.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether nobody is subscribed to anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, mo: &MoRef) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let place = self.hasher.hash_one(mo) as usize % SHARDS;
        lock(self.shards.get(place).unwrap_or(first))
    }
}

impl Subscriber {
    /// Subscribes to `mo`; whether that is new.
    pub(super) fn subscribe(&mut self, mo: &MoRef) -> bool {
        if !self.objects.insert(mo.clone()) {
            return false;
        }
        self.grown();
        let mut shard = self.index.shard(mo);
        let subscribers = shard.entry(mo.clone()).or_default();
        if let Err(place) = subscribers.binary_search_by_key(&self.inner.id, |other| other.id) {
            subscribers.insert(place, Arc::clone(&self.inner));
        }
        true
    }

    /// Ends the subscription to `mo`, if there is one.
    pub(super) fn unsubscribe(&mut self, mo: &MoRef) {
        if self.objects.remove(mo) {
            self.grown();
            self.leave(mo);
        }
    }

    /// Ends the subscriptions to all objects but those that `keep` holds for.
    pub(super) fn retain(&mut self, keep: impl Fn(&MoRef) -> bool) {
        let gone: Vec<MoRef> = self.objects.iter().filter(|mo| !keep(mo)).cloned().collect();
        for mo in &gone {
            self.unsubscribe(mo);
        }
        if self.objects.capacity() / 4 > self.objects.len() {
            self.objects.shrink_to_fit();
        }
    }

    /// What changed since the last call.
    pub(super) fn take(&mut self) -> Changed {
        let mut dirty = lock(&self.inner.dirty);
        if dirty.known.capacity() > 2 * FEW {
            dirty.known = HashSet::default();
        } else {
            dirty.known.clear();
        }
        let order = std::mem::take(&mut dirty.order);
        if std::mem::take(&mut dirty.all) { Changed::Anything } else { Changed::These(order) }
    }

    /// What a subscriber remembers stays small beside what it watches.
    fn grown(&self) {
        if self.objects.len().is_power_of_two() {
            lock(&self.inner.dirty).limit = FEW.max(self.objects.len() / 8);
        }
    }

    fn leave(&self, mo: &MoRef) {
        let mut shard = self.index.shard(mo);
        let Some(subscribers) = shard.get_mut(mo) else { return };
        if let Ok(place) = subscribers.binary_search_by_key(&self.inner.id, |other| other.id) {
            subscribers.remove(place);
        }
        if subscribers.is_empty() {
            shard.remove(mo);
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        for mo in &self.objects {
            self.leave(mo);
        }
    }
}

impl Inner {
    fn mark_all(&self) {
        let mut dirty = lock(&self.dirty);
        dirty.all = true;
        dirty.order = Vec::new();
        dirty.known = HashSet::default();
        drop(dirty);
        self.wake.notify_one();
    }

    fn mark(&self, mo: &MoRef) {
        let mut dirty = lock(&self.dirty);
        if dirty.all || !dirty.known.insert(mo.clone()) {
            return;
        }
        if dirty.order.len() < dirty.limit {
            dirty.order.push(mo.clone());
        } else {
            dirty.all = true;
            dirty.order = Vec::new();
            dirty.known = HashSet::default();
        }
        drop(dirty);
        self.wake.notify_one();
    }
}

/// Nothing panics while one of these is held, and every state of them is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
