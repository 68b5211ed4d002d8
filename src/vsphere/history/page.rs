//! The latest page: the newest entries, kept up to date at little cost.

use super::History;
use crate::inventory::Snapshot;
use crate::value::Object;

/// The newest entries of a history, newest first.
///
/// - What has once dropped out, or was too old at first, never comes in again:
///   a page that is made larger grows with what is new.
/// - An entry is shown as it was when its stamp was last seen to change: of a
///   task its state, not its progress.
/// - Entries that can no longer change are not looked for again, so a look
///   costs what is new, however long the history is.
pub(super) struct LatestPage {
    size: usize,
    /// Below this key nothing comes in.
    floor: u64,
    /// Below this key everything is as it was at the last look.
    settled: u64,
    entries: Vec<Shown>,
}

struct Shown {
    key: u64,
    stamp: u32,
    object: Object,
}

impl LatestPage {
    /// A page of at most `size` entries, at which nobody has looked yet.
    pub(super) fn new(size: usize) -> Self {
        Self { size, floor: 0, settled: 0, entries: Vec::new() }
    }

    /// Brings the page up to date.
    pub(super) fn look<H: History>(&mut self, history: &H, state: &Snapshot) {
        let first = self.settled.max(self.floor);
        let found = history.older(state, first, u64::MAX, self.size);
        let mut known = std::mem::take(&mut self.entries).into_iter().peekable();
        for entry in &found {
            let (key, stamp) = (H::key(entry), H::stamp(entry));
            // Both are in the same order.
            while known.next_if(|shown| shown.key > key).is_some() {}
            let shown = match known.next_if(|shown| shown.key == key && shown.stamp == stamp) {
                Some(shown) => shown,
                None => Shown { key, stamp, object: history.show(entry) },
            };
            self.entries.push(shown);
        }
        self.entries.extend(known.filter(|shown| shown.key < first));
        // A snapshot that is older than the one before must not undo it.
        self.settled = self.settled.max(history.settled(state));
        self.cut();
    }

    /// Changes the size: what is there first gets its due.
    pub(super) fn resize<H: History>(&mut self, history: &H, state: &Snapshot, size: usize) {
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
        self.entries.last().map(|shown| shown.key)
    }

    /// The entries as they are sent.
    pub(super) fn objects(&self) -> Vec<Object> {
        self.entries.iter().map(|shown| shown.object.clone()).collect()
    }
}
