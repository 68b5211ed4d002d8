//! Changes in the making: a private copy of the latest snapshot, on which
//! everything happens or nothing.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::changelog::{Change, ChangeKind, ChangeLog, Commit};
use super::index::{Key, KeysOf};
use super::objects::Objects;
use super::properties::Properties;
use super::snapshot::{Companion, Hasher, Read, Snapshot};
use crate::fault::Fault;
use crate::schema::{StaticPath, Type};
use crate::value::{IntoSlot, MoRef, Object, Value};

/// The one place where the inventory changes; see [`super::Store::commit`].
#[derive(Debug)]
pub struct Transaction {
    version: u64,
    objects: Objects,
    companion: Companion,
    companion_is_new: bool,
    log: Arc<Mutex<ChangeLog>>,
    changes: Vec<Change>,
    touched: HashMap<MoRef, usize, Hasher>,
    next_id: u64,
}

impl Transaction {
    pub(super) fn new(base: &Snapshot, next_id: u64) -> Self {
        Self {
            version: base.version,
            objects: base.objects.clone(),
            companion: base.companion.clone(),
            companion_is_new: false,
            log: Arc::clone(&base.log),
            changes: Vec::new(),
            touched: HashMap::default(),
            next_id,
        }
    }

    /// What the layer above committed together with the objects, if it is a `T`.
    pub fn companion<T: Any>(&self) -> Option<&T> {
        self.companion.as_deref()?.downcast_ref()
    }

    /// Commits something together with the objects: whoever reads the next
    /// snapshot reads both as they are after this change. It makes no version
    /// of its own, because no object is touched by it.
    pub fn set_companion(&mut self, companion: Arc<dyn Any + Send + Sync>) {
        self.companion = Some(companion);
        self.companion_is_new = true;
    }

    /// The version that this change will make if it touches anything.
    pub fn version(&self) -> u64 {
        self.version + 1
    }

    /// Takes the next number of the one counter behind generated ids and makes
    /// a reference of it: `vm` becomes `vm-57`.
    pub fn next_moref(&mut self, ty: Type, prefix: &str) -> MoRef {
        MoRef::new(ty, &format!("{prefix}-{}", self.next_number()))
    }

    /// The next number of the counter behind generated ids.
    pub fn next_number(&mut self) -> u64 {
        let number = self.next_id;
        self.next_id += 1;
        number
    }

    /// Lets the counter behind generated ids go on after `last`, unless it is
    /// further already.
    pub fn skip_numbers(&mut self, last: u64) {
        self.next_id = self.next_id.max(last.saturating_add(1));
    }

    /// Lets objects be found by the keys that `keys_of` gives them; see
    /// [`Read::find`].
    pub fn index_by(&mut self, keys_of: KeysOf) {
        self.objects.index_by(keys_of);
    }

    /// The number that the counter gives next.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Goes back to an earlier state of the same store, with the number that
    /// its counter gave next. `since` is all that was committed after it, if
    /// that is known: it saves a look at every object, and counts as changed
    /// what was only [touched](Self::touch). Nothing else may be changed before.
    pub fn restore(&mut self, saved: &Snapshot, next_id: u64, since: Option<&[Commit]>) {
        let now = std::mem::replace(&mut self.objects, saved.objects.clone());
        self.companion = saved.companion.clone();
        self.companion_is_new = true;
        self.next_id = next_id;
        if let Some(since) = since {
            for change in since.iter().flat_map(|commit| commit.changes.iter()) {
                self.note_return(&change.object, now.properties(&change.object).is_some());
            }
            return;
        }
        for (mo, properties) in now.iter() {
            if saved.objects.properties(mo).is_none_or(|saved| !saved.same(properties)) {
                self.note_return(mo, true);
            }
        }
        for (mo, _) in saved.objects.iter().filter(|(mo, _)| now.properties(mo).is_none()) {
            self.note_return(mo, false);
        }
    }

    /// Notes what becomes of an object that was or was not there, as it is now.
    fn note_return(&mut self, mo: &MoRef, was: bool) {
        let kind = match (was, self.exists(mo)) {
            (false, false) => return,
            (false, true) => ChangeKind::Created,
            (true, true) => ChangeKind::Modified,
            (true, false) => ChangeKind::Destroyed,
        };
        if !self.touched.contains_key(mo) {
            self.note(mo, kind);
        }
    }

    /// Adds an object with its properties; an object of that name is replaced.
    pub fn insert(&mut self, mo: MoRef, properties: impl Into<Properties>) {
        let key = mo.clone();
        let known = self.objects.insert(mo, properties.into());
        self.note(&key, if known { ChangeKind::Modified } else { ChangeKind::Created });
    }

    /// Removes an object; whether it was there.
    pub fn remove(&mut self, mo: &MoRef) -> bool {
        let gone = self.objects.remove(mo);
        if gone {
            self.note(mo, ChangeKind::Destroyed);
        }
        gone
    }

    /// Replaces all properties of an object that exists.
    pub fn replace(&mut self, mo: &MoRef, properties: Object) -> Result<(), Fault> {
        let properties = Properties::Made(properties);
        let Some(held) = self.objects.properties(mo) else { return Err(Fault::not_found(mo)) };
        if !held.same(&properties) {
            self.objects.insert(mo.clone(), properties);
            self.note(mo, ChangeKind::Modified);
        }
        Ok(())
    }

    /// Counts an object as changed although it is the same: for what is computed
    /// about it when it is read.
    pub fn touch(&mut self, mo: &MoRef) {
        if self.exists(mo) {
            self.note(mo, ChangeKind::Modified);
        }
    }

    /// Sets, or with `None` unsets, one property or something below it.
    pub fn set(
        &mut self,
        mo: &MoRef,
        path: &StaticPath,
        value: impl IntoSlot,
    ) -> Result<(), Fault> {
        let Some(properties) = self.objects.get(mo) else { return Err(Fault::not_found(mo)) };
        let next = properties.with_at(path, value).map_err(|error| {
            Fault::system_error(&format!("{mo}: cannot set {}: {error}", path.text()))
        })?;
        self.replace(mo, next)
    }

    /// Appends a reference to the array at `path`, which may be unset before.
    pub fn push_ref(&mut self, mo: &MoRef, path: &StaticPath, item: &MoRef) -> Result<(), Fault> {
        let Some(array) = self.at(mo, path).and_then(Value::as_array) else {
            return self.set(mo, path, [item]);
        };
        if array.contains_ref(item) {
            return Ok(());
        }
        let next = array.with_pushed(item.into());
        self.set(mo, path, next)
    }

    /// Takes a reference out of the array at `path`.
    pub fn remove_ref(&mut self, mo: &MoRef, path: &StaticPath, item: &MoRef) -> Result<(), Fault> {
        let Some(array) = self.at(mo, path).and_then(Value::as_array) else { return Ok(()) };
        let next = array.without_ref(item);
        self.set(mo, path, next)
    }

    /// All objects, in no particular but always the same order.
    pub fn iter(&self) -> impl Iterator<Item = (&MoRef, &Object)> {
        self.objects.iter().map(|(mo, properties)| (mo, self.objects.whole(mo, properties)))
    }

    /// The references to all objects, in the same order.
    pub fn all_refs(&self) -> impl Iterator<Item = &MoRef> {
        self.objects.iter().map(|(mo, _)| mo)
    }

    /// The objects touched so far, each once.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    fn note(&mut self, mo: &MoRef, kind: ChangeKind) {
        let Some(at) = self.touched.get(mo).copied() else {
            self.touched.insert(mo.clone(), self.changes.len());
            self.changes.push(Change { object: mo.clone(), kind });
            return;
        };
        if let Some(change) = self.changes.get_mut(at) {
            change.kind = match (change.kind, kind) {
                (ChangeKind::Created, ChangeKind::Modified) => ChangeKind::Created,
                (ChangeKind::Destroyed, ChangeKind::Created) => ChangeKind::Modified,
                (_, kind) => kind,
            };
        }
    }

    /// The next state, unless nothing has changed, what was touched, and the
    /// next id.
    pub(super) fn finish(mut self) -> (Option<Snapshot>, Vec<Change>, u64) {
        let touched = !self.changes.is_empty();
        if touched {
            self.objects.forget_read();
        }
        let snapshot = Snapshot {
            version: self.version + u64::from(touched),
            objects: self.objects,
            companion: self.companion,
            log: self.log,
        };
        ((touched || self.companion_is_new).then_some(snapshot), self.changes, self.next_id)
    }
}

impl Read for Transaction {
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
