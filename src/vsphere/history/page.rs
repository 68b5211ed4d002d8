//! The latest page: the newest entries, kept up to date at little cost.

use super::History;
use crate::inventory::Snapshot;
use crate::value::Object;

/// The newest entries of a history, newest first.
///
/// - What has once dropped out, or was too old at first, never comes in again:
///   a page that is made larger grows with what is new, unless its history
///   refills pages.
/// - An entry is shown as it was when its stamp was last seen to change: of a
///   task its state, not its progress.
/// - Entries that can no longer change are not looked for again, so a look
///   costs what is new, however long the history is.
pub(super) struct LatestPage<H: History> {
    size: usize,
    /// Below this key nothing comes in.
    floor: u64,
    /// Below this key everything is as it was at the last look.
    settled: u64,
    entries: Vec<Shown<H::Entry>>,
}

struct Shown<E> {
    entry: E,
    object: Object,
}

impl<H: History> LatestPage<H> {
    /// A page of at most `size` entries, at which nobody has looked yet.
    pub(super) fn new(size: usize) -> Self {
        Self { size, floor: 0, settled: 0, entries: Vec::new() }
    }

    /// Brings the page up to date.
    pub(super) fn look(&mut self, history: &H, state: &Snapshot) {
        let first = self.settled.max(self.floor);
        let found = history.older(state, first, u64::MAX, self.size);
        let mut known = std::mem::take(&mut self.entries).into_iter().peekable();
        for entry in found {
            let (key, stamp) = (H::key(&entry), H::stamp(&entry));
            // Both are in the same order.
            while known.next_if(|shown| H::key(&shown.entry) > key).is_some() {}
            let same = |shown: &Shown<H::Entry>| {
                H::key(&shown.entry) == key && H::stamp(&shown.entry) == stamp
            };
            let shown = known.next_if(same);
            self.entries.push(shown.unwrap_or_else(|| {
                let object = history.show(&entry);
                Shown { entry, object }
            }));
        }
        self.entries.extend(known.filter(|shown| H::key(&shown.entry) < first));
        // A snapshot that is older than the one before must not undo it.
        self.settled = self.settled.max(history.settled(state));
        self.cut();
    }

    /// Changes the size: what is there first gets its due.
    pub(super) fn resize(&mut self, history: &H, state: &Snapshot, size: usize) {
        if H::REFILLS {
            *self = Self::new(size);
            return self.look(history, state);
        }
        self.look(history, state);
        self.size = size;
        self.cut();
    }

    fn cut(&mut self) {
        self.entries.truncate(self.size);
        if self.entries.len() == self.size {
            self.floor = self.floor.max(self.first_key().unwrap_or_default());
        }
    }

    /// The key of the oldest entry.
    pub(super) fn first_key(&self) -> Option<u64> {
        self.entries.last().map(|shown| H::key(&shown.entry))
    }

    /// The entries that `shows` lets through, as they are sent.
    pub(super) fn objects(&self, shows: impl Fn(&H::Entry) -> bool) -> Vec<Object> {
        let seen = self.entries.iter().filter(|shown| shows(&shown.entry));
        seen.map(|shown| shown.object.clone()).collect()
    }
}
