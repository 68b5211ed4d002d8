//! What recent commits touched, so that a reader can go from one version to a
//! later one without looking at everything.

use std::collections::VecDeque;
use std::sync::Arc;

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

/// The latest commits, bounded by the number of changes they hold.
#[derive(Debug)]
pub struct ChangeLog {
    commits: VecDeque<Commit>,
    held: usize,
    limit: usize,
    /// The version before the oldest commit that is kept.
    floor: u64,
}

impl ChangeLog {
    /// A log that keeps about `limit` changes.
    pub fn new(limit: usize) -> Self {
        Self { commits: VecDeque::new(), held: 0, limit, floor: 0 }
    }

    pub(super) fn push(&mut self, commit: Commit) {
        self.held += commit.changes.len();
        self.commits.push_back(commit);
        while self.held > self.limit && self.commits.len() > 1 {
            if let Some(oldest) = self.commits.pop_front() {
                self.held -= oldest.changes.len();
                self.floor = oldest.version;
            }
        }
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
}
