//! All objects of one state: a persistent map, and what finds objects in it.

use std::sync::{Arc, Mutex, PoisonError};

use super::index::{Index, Key, KeysOf};
use super::properties::Properties;
use super::snapshot::Hasher;
use crate::schema::StaticPath;
use crate::value::{MoRef, Object, Value};

type Map = imbl::GenericHashMap<MoRef, Properties, Hasher, imbl::shared_ptr::DefaultSharedPtr>;

/// Of how many casts the whole may be kept that was made to be read.
const KEPT: usize = 4096;

/// The objects of a snapshot, or of a transaction.
#[derive(Clone, Debug, Default)]
pub(super) struct Objects {
    map: Map,
    index: Index,
    /// The casts that were read as a whole, the oldest first; shared by all
    /// states, because the casts are.
    read: Arc<Mutex<Vec<MoRef>>>,
}

impl Objects {
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&MoRef, &Properties)> {
        self.map.iter()
    }

    pub(super) fn properties(&self, mo: &MoRef) -> Option<&Properties> {
        self.map.get(mo)
    }

    pub(super) fn get(&self, mo: &MoRef) -> Option<&Object> {
        Some(self.whole(mo, self.map.get(mo)?))
    }

    /// The properties of `mo` as a whole, which are kept for a while.
    pub(super) fn whole<'a>(&self, mo: &MoRef, properties: &'a Properties) -> &'a Object {
        let (object, made) = properties.keep();
        if made {
            self.read.lock().unwrap_or_else(PoisonError::into_inner).push(mo.clone());
        }
        object
    }

    pub(super) fn at(&self, mo: &MoRef, path: &StaticPath) -> Option<&Value> {
        let properties = self.map.get(mo)?;
        properties.lend(path).unwrap_or_else(|()| self.whole(mo, properties).at(path))
    }

    pub(super) fn find(&self, key: Key) -> &[MoRef] {
        self.index.find(key)
    }

    /// Lets objects be found by other keys than before.
    pub(super) fn index_by(&mut self, keys_of: KeysOf) {
        self.index = Index::new(keys_of);
        for (mo, properties) in &self.map {
            self.index.change(mo, None, Some(properties));
        }
    }

    /// Puts properties in the place of those that there may be; whether there
    /// were any.
    pub(super) fn insert(&mut self, mo: MoRef, properties: Properties) -> bool {
        self.index.change(&mo, self.map.get(&mo), Some(&properties));
        self.map.insert(mo, properties).is_some()
    }

    pub(super) fn remove(&mut self, mo: &MoRef) -> bool {
        let gone = self.map.remove(mo);
        self.index.change(mo, gone.as_ref(), None);
        gone.is_some()
    }

    /// Gives up the older half of what was made to be read, if that is much.
    /// Nothing is another for it.
    pub(super) fn forget_read(&mut self) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.len() <= KEPT {
            return;
        }
        for mo in read.drain(..KEPT / 2) {
            if let Some(unread) = self.map.get(&mo).and_then(Properties::unread) {
                self.map.insert(mo, unread);
            }
        }
    }
}
