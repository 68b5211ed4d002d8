//! [`Ledger`]: when each object came into being, changed, and went, by the
//! numbers of commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::inventory::{Commit, Mark};
use crate::value::{MoRef, Str};
use crate::xenapi::class::Class;
use crate::xenapi::view::View;
use crate::xenapi::{class_named, class_of};

type Hasher = foldhash::fast::FixedState;

/// How many objects that are gone are remembered.
const GONE: usize = 100_000;

/// The commits that matter to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamps {
    pub(super) created: u64,
    pub(super) modified: u64,
}

/// What has happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It came into being, or into view.
    Add,
    /// It changed.
    Mod,
    /// It is gone, or out of view.
    Del,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Mod => "mod",
            Self::Del => "del",
        }
    }
}

/// An object and what has happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Happened {
    pub(super) kind: Kind,
    /// The commit that did it.
    pub(super) version: u64,
    pub(super) object: MoRef,
}

/// An object that is gone.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    pub(super) created: u64,
    pub(super) reference: Str,
}

/// All stamps.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last commit that is in it.
    seen: u64,
    /// Keeps the commits after that.
    mark: Option<Mark>,
    live: HashMap<MoRef, Stamps, Hasher>,
    /// The same by their last change.
    changed: BTreeMap<u64, BTreeSet<MoRef>>,
    gone: BTreeMap<u64, BTreeMap<MoRef, Gone>>,
    gone_len: usize,
    /// How many objects of each class there are.
    counts: BTreeMap<&'static str, usize>,
}

impl Ledger {
    /// The last commit that is in it.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }

    /// How many objects of a class there are.
    pub(super) fn count(&self, class: &str) -> usize {
        self.counts.get(class).copied().unwrap_or_default()
    }

    /// Begins with all objects that there are.
    pub(super) fn begin(&mut self, view: &View<'_>) {
        self.seen = view.state().version();
        self.mark = Some(view.state().mark());
        self.take_stock(view);
    }

    /// Takes in a commit, if it is the next one; `view` is of it or later.
    /// Tells what happened.
    pub(super) fn take_in(&mut self, view: &View<'_>, commit: &Commit) -> Vec<Happened> {
        let version = commit.version;
        let mut events = Vec::new();
        for change in commit.changes.iter() {
            let object = change.object.clone();
            if let Some(kind) = self.update(view, &object, version) {
                events.push(Happened { kind, version, object });
            }
        }
        self.saw(self.seen.max(version));
        events
    }

    fn saw(&mut self, version: u64) {
        self.seen = version;
        if let Some(mark) = &self.mark {
            mark.move_to(version);
        }
    }

    /// Takes in everything there is, when it is no longer known what commits did.
    pub(super) fn start_over(&mut self, view: &View<'_>) -> Vec<Happened> {
        let version = view.state().version();
        let mut events = Vec::new();
        let known: Vec<MoRef> = self.live.keys().cloned().collect();
        for object in known {
            if let Some(kind) = self.update(view, &object, version) {
                events.push(Happened { kind, version, object });
            }
        }
        self.saw(version);
        let new = self.take_stock(view);
        let new = new.into_iter();
        events.extend(new.map(|object| Happened { kind: Kind::Add, version, object }));
        events
    }

    /// Notes all objects that are not known yet.
    fn take_stock(&mut self, view: &View<'_>) -> Vec<MoRef> {
        let mut new = Vec::new();
        for class in crate::xenapi::classes() {
            for mo in (class.objects)(view) {
                if !self.live.contains_key(&mo) {
                    self.add(class, &mo, self.seen);
                    new.push(mo);
                }
            }
        }
        new
    }

    fn update(&mut self, view: &View<'_>, mo: &MoRef, version: u64) -> Option<Kind> {
        let class = class_named(class_of(mo.ty()))?;
        let known = self.live.get(mo).copied();
        match (known, (class.exists)(view, mo)) {
            (None, false) => None,
            (None, true) => {
                self.add(class, mo, version);
                Some(Kind::Add)
            }
            (Some(stamps), true) => {
                self.forget_change(stamps.modified, mo);
                self.changed.entry(version).or_default().insert(mo.clone());
                self.live.insert(mo.clone(), Stamps { modified: version, ..stamps });
                Some(Kind::Mod)
            }
            (Some(stamps), false) => {
                self.forget_change(stamps.modified, mo);
                self.live.remove(mo);
                if let Some(count) = self.counts.get_mut(class.name) {
                    *count = count.saturating_sub(1);
                }
                let gone = Gone { created: stamps.created, reference: view.reference(mo) };
                let before = self.gone.entry(version).or_default().insert(mo.clone(), gone);
                self.gone_len += usize::from(before.is_none());
                while self.gone_len > GONE
                    && let Some((_, oldest)) = self.gone.pop_first()
                {
                    self.gone_len -= oldest.len();
                }
                Some(Kind::Del)
            }
        }
    }

    fn add(&mut self, class: &'static Class, mo: &MoRef, version: u64) {
        self.live.insert(mo.clone(), Stamps { created: version, modified: version });
        self.changed.entry(version).or_default().insert(mo.clone());
        *self.counts.entry(class.name).or_default() += 1;
    }

    fn forget_change(&mut self, version: u64, mo: &MoRef) {
        if let Some(objects) = self.changed.get_mut(&version) {
            objects.remove(mo);
            if objects.is_empty() {
                self.changed.remove(&version);
            }
        }
    }

    /// What has happened after `since`, each object once: those that came, then
    /// those that changed, then those that went.
    pub(super) fn since(&self, since: u64, wanted: impl Fn(&MoRef) -> bool) -> Vec<Happened> {
        let after = (Bound::Excluded(since), Bound::Unbounded);
        let mut events = Vec::new();
        for (version, objects) in self.changed.range(after) {
            for mo in objects.iter().filter(|mo| wanted(mo)) {
                let created = self.live.get(mo).map_or(0, |stamps| stamps.created);
                let kind = if created > since { Kind::Add } else { Kind::Mod };
                events.push(Happened { kind, version: *version, object: mo.clone() });
            }
        }
        for (version, objects) in self.gone.range(after) {
            for (mo, gone) in objects.iter().filter(|(mo, _)| wanted(mo)) {
                // Who came after the token and is gone was never there, and
                // who is there again has only changed.
                if gone.created <= since && !self.live.contains_key(mo) {
                    events.push(Happened {
                        kind: Kind::Del,
                        version: *version,
                        object: mo.clone(),
                    });
                }
            }
        }
        events.sort_by_key(|event| (event.kind, event.version));
        events
    }

    /// The objects that are gone, with their references.
    pub(super) fn gone(&self) -> impl Iterator<Item = (&Str, &MoRef)> {
        self.gone.values().flatten().map(|(mo, gone)| (&gone.reference, mo))
    }
}
