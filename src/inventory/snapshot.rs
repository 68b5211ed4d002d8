//! One state of the inventory, which never changes again.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use super::changelog::{ChangeLog, Commit, Mark};
use super::index::Key;
use super::objects::Objects;
use super::properties::Properties;
use crate::schema::{StaticPath, Type};
use crate::value::{MoRef, Object, Value};

/// Seeded once and for all, so that the same calls give the same order.
pub(super) type Hasher = foldhash::fast::FixedState;

/// What the layer above commits together with the objects.
pub(super) type Companion = Option<Arc<dyn Any + Send + Sync>>;

/// How many changes the log keeps for those who need them: enough for a client
/// that calls again within minutes under load, a few megabytes at the most.
const LOG_LIMIT: usize = 65_536;

/// All managed objects at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) version: u64,
    pub(super) objects: Objects,
    pub(super) companion: Companion,
    pub(super) log: Arc<Mutex<ChangeLog>>,
}

impl Snapshot {
    /// A state without any object, at version zero.
    pub fn empty() -> Self {
        let log = Arc::new(Mutex::new(ChangeLog::new(LOG_LIMIT)));
        Self { version: 0, objects: Objects::default(), companion: None, log }
    }

    /// The commits that led from `version` to this state, oldest first; see
    /// [`ChangeLog::since`].
    pub fn since(&self, version: u64) -> Option<Vec<Commit>> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commits = log.since(version)?;
        drop(log);
        // Later ones have their own snapshots.
        commits.truncate(commits.partition_point(|commit| commit.version <= self.version));
        Some(commits)
    }

    /// Somebody will go on from this state, by [`Snapshot::since`] of a later one
    /// or by [`Store::since`](super::Store::since): what comes after it is kept.
    pub fn mark(&self) -> Mark {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).mark(self.version)
    }

    /// The number of the commit that made this state.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// What the layer above committed together with the objects, if it is a `T`.
    pub fn companion<T: Any>(&self) -> Option<&T> {
        self.companion.as_deref()?.downcast_ref()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are no objects.
    pub fn is_empty(&self) -> bool {
        self.objects.len() == 0
    }

    /// All objects, in no particular but always the same order.
    pub fn iter(&self) -> impl Iterator<Item = (&MoRef, &Object)> {
        self.objects.iter().map(|(mo, properties)| (mo, self.objects.whole(mo, properties)))
    }

    /// The objects of `ty` and the types derived from it.
    pub fn of_type(&self, ty: Type) -> impl Iterator<Item = (&MoRef, &Object)> {
        let those = self.objects.iter().filter(move |(mo, _)| mo.ty().is_a(ty));
        those.map(|(mo, properties)| (mo, self.objects.whole(mo, properties)))
    }

    /// The references to all objects, in the same order.
    pub fn all_refs(&self) -> impl Iterator<Item = &MoRef> {
        self.objects.iter().map(|(mo, _)| mo)
    }

    /// The references to the objects of `ty` and the types derived from it.
    pub fn refs(&self, ty: Type) -> impl Iterator<Item = &MoRef> {
        self.all_refs().filter(move |mo| mo.ty().is_a(ty))
    }
}

/// Reading the inventory: from a [`Snapshot`], or inside a
/// [`Transaction`](super::Transaction), where its own changes show.
pub trait Read {
    /// The properties of `mo`, if it exists, as they are kept.
    fn properties(&self, mo: &MoRef) -> Option<&Properties>;

    /// The properties of `mo`, if it exists.
    fn get(&self, mo: &MoRef) -> Option<&Object>;

    /// The value of a property or of something below it, if it is set.
    fn at(&self, mo: &MoRef, path: &StaticPath) -> Option<&Value>;

    /// The objects that a key may stand for.
    fn find(&self, key: Key) -> &[MoRef];

    /// The reference at `path`.
    fn moref(&self, mo: &MoRef, path: &StaticPath) -> Option<&MoRef> {
        self.at(mo, path)?.as_moref()
    }

    /// The text at `path`; empty when there is none.
    fn text(&self, mo: &MoRef, path: &StaticPath) -> &str {
        self.at(mo, path).and_then(Value::as_str).unwrap_or_default()
    }

    /// The references in the array at `path`.
    fn morefs(&self, mo: &MoRef, path: &StaticPath) -> Vec<MoRef> {
        self.at(mo, path).map(|value| value.morefs().cloned().collect()).unwrap_or_default()
    }

    /// Whether `mo` exists.
    fn exists(&self, mo: &MoRef) -> bool {
        self.properties(mo).is_some()
    }
}

impl Read for Snapshot {
    fn properties(&self, mo: &MoRef) -> Option<&Properties> {
        self.objects.properties(mo)
    }

    fn get(&self, mo: &MoRef) -> Option<&Object> {
        self.objects.get(mo)
    }

    fn at(&self, mo: &MoRef, path: &StaticPath) -> Option<&Value> {
        self.objects.at(mo, path)
    }

    fn find(&self, key: Key) -> &[MoRef] {
        self.objects.find(key)
    }
}
