//! Finding objects by what is in them: an index from keys to objects that each
//! commit keeps up to date.
//!
//! What the keys of an object are is for the layer above to say ([`KeysOf`]).
//! A key is a few bits made of what it stands for, so an object that is found
//! may be a wrong one; who asks looks at it.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher as _};

use smallvec::SmallVec;
use triomphe::ThinArc;

use super::properties::Properties;
use super::snapshot::Hasher;
use crate::value::MoRef;

/// What an object can be found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The key for `text` where `place` says what the text is, and `of` whose it
    /// is, if that matters.
    pub fn new(place: &'static str, of: Option<&MoRef>, text: &[u8]) -> Self {
        let mut hasher = Hasher::default().build_hasher();
        hasher.write(place.as_bytes());
        hasher.write(of.map_or(&[][..], |of| of.id().as_bytes()));
        hasher.write(text);
        Self(hasher.finish())
    }
}

/// The keys of one object.
pub type Keys = SmallVec<[Key; 8]>;

/// Adds the keys of an object with these properties; the same for the same
/// properties, always.
pub type KeysOf = fn(&Properties, &mut Keys);

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Plain(u64);

impl std::hash::Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Who has a key: nearly always one.
#[derive(Clone, Debug)]
enum Holders {
    One(MoRef),
    Many(ThinArc<(), MoRef>),
}

impl Holders {
    fn all(&self) -> &[MoRef] {
        match self {
            Self::One(mo) => std::slice::from_ref(mo),
            Self::Many(all) => &all.slice,
        }
    }

    fn of(mut all: Vec<MoRef>) -> Option<Self> {
        match all.len() {
            0 => None,
            1 => all.pop().map(Self::One),
            _ => Some(Self::Many(ThinArc::from_header_and_iter((), all.into_iter()))),
        }
    }
}

type Entries = imbl::GenericHashMap<
    Key,
    Holders,
    BuildHasherDefault<Plain>,
    imbl::shared_ptr::DefaultSharedPtr,
>;

/// The index of one state of the inventory.
#[derive(Clone, Default)]
pub(super) struct Index {
    keys_of: Option<KeysOf>,
    entries: Entries,
}

impl Index {
    pub(super) fn new(keys_of: KeysOf) -> Self {
        Self { keys_of: Some(keys_of), entries: Entries::default() }
    }

    pub(super) fn find(&self, key: Key) -> &[MoRef] {
        self.entries.get(&key).map_or(&[], Holders::all)
    }

    /// Takes in that `mo` was `before` and is `now`.
    pub(super) fn change(
        &mut self,
        mo: &MoRef,
        before: Option<&Properties>,
        now: Option<&Properties>,
    ) {
        let Some(keys_of) = self.keys_of else { return };
        let keys = |properties: Option<&Properties>| {
            let mut keys = Keys::new();
            if let Some(properties) = properties {
                keys_of(properties, &mut keys);
            }
            keys
        };
        let (before, now) = (keys(before), keys(now));
        for key in before.iter().filter(|key| !now.contains(key)) {
            self.leave(*key, mo);
        }
        for key in now.iter().filter(|key| !before.contains(key)) {
            self.join(*key, mo);
        }
    }

    fn join(&mut self, key: Key, mo: &MoRef) {
        let holders = match self.entries.get(&key) {
            None => Holders::One(mo.clone()),
            Some(holders) if holders.all().contains(mo) => return,
            Some(holders) => {
                let all: Vec<MoRef> = holders.all().iter().chain([mo]).cloned().collect();
                let Some(holders) = Holders::of(all) else { return };
                holders
            }
        };
        self.entries.insert(key, holders);
    }

    fn leave(&mut self, key: Key, mo: &MoRef) {
        let Some(holders) = self.entries.get(&key) else { return };
        let rest = holders.all().iter().filter(|other| *other != mo).cloned().collect();
        match Holders::of(rest) {
            Some(rest) => {
                self.entries.insert(key, rest);
            }
            None => {
                self.entries.remove(&key);
            }
        }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("keys", &self.entries.len()).finish()
    }
}
