//! The store: the current snapshot, the one writer, and who is told of commits.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;

use super::changelog::{ChangeLog, Commit};
use super::snapshot::Snapshot;
use super::transaction::Transaction;

/// Called after each commit, outside the writer's lock; must be quick and must
/// not commit.
pub type Observer = Box<dyn Fn(&Commit) + Send + Sync>;

/// Holds the current snapshot and lets one commit at a time replace it.
pub struct Store {
    current: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    log: Arc<Mutex<ChangeLog>>,
    observer: OnceLock<Observer>,
}

struct Writer {
    next_id: u64,
}

impl Store {
    /// A store without objects.
    pub fn new() -> Self {
        let first = Snapshot::empty();
        let log = Arc::clone(&first.log);
        Self {
            current: ArcSwap::from_pointee(first),
            writer: Mutex::new(Writer { next_id: 1 }),
            log,
            observer: OnceLock::new(),
        }
    }

    /// The current state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Sets the one observer of commits; whether there was none before.
    pub fn observe(&self, observer: Observer) -> bool {
        self.observer.set(observer).is_ok()
    }

    /// Runs `change` on the latest state. What it returns as an error leaves
    /// no trace; otherwise the next snapshot holds all of its changes, and the
    /// new version is returned beside the result. A change that touched
    /// nothing makes no version.
    pub fn commit<T, E>(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<T, E>,
    ) -> Result<(T, u64), E> {
        let mut writer = lock(&self.writer);
        let base = self.current.load_full();
        let mut transaction = Transaction::new(&base, writer.next_id);
        let result = change(&mut transaction)?;
        let (snapshot, changes, next_id) = transaction.finish();
        writer.next_id = next_id;
        let Some(snapshot) = snapshot else { return Ok((result, base.version())) };
        let version = snapshot.version();
        if changes.is_empty() {
            self.current.store(Arc::new(snapshot));
            return Ok((result, version));
        }
        let commit = Commit { version, changes: changes.into() };
        // The log before the snapshot: who sees the version finds its commit.
        lock(&self.log).push(commit.clone());
        self.current.store(Arc::new(snapshot));
        drop(writer);
        if let Some(observer) = self.observer.get() {
            observer(&commit);
        }
        Ok((result, version))
    }

    /// The commits after `version`, oldest first; see [`ChangeLog::since`].
    pub fn since(&self, version: u64) -> Option<Vec<Commit>> {
        lock(&self.log).since(version)
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("version", &self.snapshot().version()).finish_non_exhaustive()
    }
}

/// A panic in a commit's closure happens before anything is published, so the
/// state behind a poisoned lock is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{ChangeKind, Read};
    use crate::schema::ty;
    use crate::value::MoRef;
    use crate::{object, path};

    #[test]
    fn a_failed_commit_leaves_no_trace() {
        let store = Store::new();
        let folder = MoRef::new(ty::Folder, "group-d1");
        let failed = store.commit(|tx| {
            tx.insert(folder.clone(), object!(Folder { name: "Datacenters" }));
            Err::<(), &str>("no")
        });
        assert_eq!(failed, Err("no"));
        assert!(store.snapshot().is_empty());
        assert_eq!(store.since(0).map(|c| c.len()), Some(0));
    }

    #[test]
    fn a_companion_changes_with_the_objects_and_makes_no_version() {
        let store = Store::new();
        let set = |number: i32, result: Result<(), &'static str>| {
            store.commit(|tx| {
                tx.set_companion(Arc::new(number));
                result
            })
        };
        assert_eq!(store.snapshot().companion::<i32>(), None);
        assert_eq!(set(1, Ok(())), Ok(((), 0)));
        assert_eq!(set(2, Err("no")), Err("no"));
        assert_eq!(store.snapshot().companion::<i32>(), Some(&1));
        assert_eq!(store.snapshot().companion::<u8>(), None);
    }

    #[test]
    fn a_commit_names_each_touched_object_once() -> Result<(), crate::fault::Fault> {
        let store = Store::new();
        let folder = MoRef::new(ty::Folder, "group-d1");
        let (_, version) = store.commit(|tx| {
            tx.insert(folder.clone(), object!(Folder { name: "a" }));
            tx.set(&folder, path!(Folder, "name"), "b")
        })?;
        let commits = store.since(0).unwrap_or_default();
        assert_eq!((version, commits.len()), (1, 1));
        let kinds: Vec<_> = commits.iter().flat_map(|c| c.changes.iter()).map(|c| c.kind).collect();
        assert_eq!(kinds, [ChangeKind::Created]);
        assert_eq!(store.snapshot().text(&folder, path!(Folder, "name")), "b");
        Ok(())
    }
}
