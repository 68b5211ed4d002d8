//! What recent commits touched, so that a reader can go from one version to a
//! later one without looking at everything.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::value::MoRef;

/// What a commit did to one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The object came into being.
    Created,
    /// Some of its properties changed.
    Modified,
    /// The object is gone.
    Destroyed,
}

/// One object that a commit touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object.
    pub object: MoRef,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// One commit: its version and every object it touched, once.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The version of the snapshot that the commit made.
    pub version: u64,
    /// The touched objects, in the order in which they were first touched.
    pub changes: Arc<[Change]>,
}

/// How many changes are kept in any case: to see who needs older ones costs
/// something, and so is done once in so many.
const LOT: usize = 1024;

/// The latest commits: as far back as somebody has a [`Mark`], within a bound on
/// the number of changes. What nobody can ask for is not kept.
#[derive(Debug)]
pub struct ChangeLog {
    commits: VecDeque<Commit>,
    held: usize,
    limit: usize,
    /// The version before the oldest commit that is kept.
    floor: u64,
    marks: Vec<Weak<AtomicU64>>,
    /// How many changes have come since somebody saw who needs what.
    unseen: usize,
}

/// A version from which somebody will want to go on: what came after it stays
/// in the log, within its bound.
#[derive(Clone, Debug)]
pub struct Mark(Arc<AtomicU64>);

impl Mark {
    /// Goes on to a later version: what came before it is no longer needed.
    pub fn move_to(&self, version: u64) {
        self.0.store(version, Ordering::Relaxed);
    }
}

impl ChangeLog {
    /// A log that keeps about `limit` changes at the most.
    pub fn new(limit: usize) -> Self {
        Self { commits: VecDeque::new(), held: 0, limit, floor: 0, marks: Vec::new(), unseen: 0 }
    }

    /// Keeps what comes after `version` as long as the mark is there.
    pub(super) fn mark(&mut self, version: u64) -> Mark {
        let mark = Arc::new(AtomicU64::new(version));
        if self.marks.len() == self.marks.capacity() {
            self.marks.retain(|mark| mark.strong_count() > 0);
        }
        self.marks.push(Arc::downgrade(&mark));
        Mark(mark)
    }

    pub(super) fn push(&mut self, commit: Commit) {
        self.held += commit.changes.len();
        self.unseen += commit.changes.len();
        self.commits.push_back(commit);
        let mut needed = 0;
        if self.unseen > LOT {
            self.unseen = 0;
            needed = self.first_needed();
        }
        while self.commits.len() > 1
            && let Some(oldest) = self.commits.front()
            && (self.held > self.limit || oldest.version <= needed)
        {
            self.held -= oldest.changes.len();
            self.floor = oldest.version;
            self.commits.pop_front();
        }
        if self.commits.capacity() > LOT && self.commits.len() < self.commits.capacity() / 4 {
            self.commits.shrink_to(self.commits.len() * 2);
        }
    }

    /// The first version from which somebody may want to go on; none at all if
    /// nobody does.
    fn first_needed(&mut self) -> u64 {
        let mut first = u64::MAX;
        self.marks.retain(|mark| {
            let Some(mark) = mark.upgrade() else { return false };
            first = first.min(mark.load(Ordering::Relaxed));
            true
        });
        first
    }

    /// The commits after `version`, oldest first; nothing when the log no
    /// longer reaches back that far and the reader has to start over.
    pub fn since(&self, version: u64) -> Option<Vec<Commit>> {
        if version < self.floor {
            return None;
        }
        let from = self.commits.partition_point(|commit| commit.version <= version);
        Some(self.commits.range(from..).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ty;

    fn commit(version: u64) -> Commit {
        let change =
            Change { object: MoRef::new(ty::Folder, "group-d1"), kind: ChangeKind::Modified };
        Commit { version, changes: vec![change].into() }
    }

    #[test]
    fn a_trimmed_log_says_so() {
        let mut log = ChangeLog::new(3);
        (1..=5).for_each(|version| log.push(commit(version)));
        assert!(log.since(1).is_none());
        let later = log.since(2).map(|c| c.iter().map(|c| c.version).collect::<Vec<_>>());
        assert_eq!(later, Some(vec![3, 4, 5]));
        assert_eq!(log.since(5).map(|c| c.len()), Some(0));
    }
    #[test]
    fn what_nobody_can_ask_for_is_not_kept() {
        let mut log = ChangeLog::new(100 * LOT);
        let (early, late) = (log.mark(10), log.mark(3000));
        let mut version = 0;
        let mut push = |log: &mut ChangeLog| {
            for _ in 0..5 * LOT {
                version += 1;
                log.push(commit(version));
            }
            log.commits.front().map_or(0, |first| first.version)
        };
        assert_eq!(push(&mut log), 11, "the first that the earlier mark needs");
        assert!(log.since(10).is_some() && log.since(9).is_none());
        early.move_to(2500);
        assert_eq!(push(&mut log), 2501);
        drop(early);
        assert_eq!(push(&mut log), 3001);
        drop(late);
        push(&mut log);
        assert!(log.commits.len() <= LOT && log.commits.capacity() <= 4 * LOT);
        assert!(log.marks.is_empty());
        let last = log.commits.back().map_or(0, |last| last.version);
        assert_eq!(log.since(last - 1).map(|commits| commits.len()), Some(1));
    }
}
