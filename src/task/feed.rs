//! What happens to tasks, one change after the other, for whoever watches.
//!
//! ```text
//!   inside a commit:  push ──► [ kept … kept │ pushed ]      not to be seen yet
//!   after it:         publish ──────────────►│              seen, and watchers wake
//!   a watcher:        read from its own place on; behind the first kept: Behind
//! ```
//!
//! The feed keeps a bounded number of changes, and none before the first watcher
//! has come. Nobody waits for a slow watcher, and a slow watcher misses nothing
//! without knowing: it learns that it is too far behind, and looks at the tasks
//! as they are instead.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::watch;

use super::record::TaskRecord;

/// How many changes are kept: the lives of about a thousand tasks.
const KEPT: usize = 4_096;

/// One change of one task.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version of the inventory that the change belongs to.
    pub version: u64,
    /// The task as it was from then on; the last that was known of one that is gone.
    pub task: Arc<TaskRecord>,
    /// Whether the task is no longer remembered.
    pub gone: bool,
}

/// The latest changes of all tasks.
#[derive(Debug)]
pub struct Feed {
    ring: Mutex<Ring>,
    published: watch::Sender<u64>,
    /// Whether there ever was a watcher, who may also come back.
    watched: AtomicBool,
}

#[derive(Debug, Default)]
struct Ring {
    /// The place of the first change that is kept.
    first: u64,
    changes: VecDeque<Change>,
}

/// The watcher's place is not in the feed, or not any longer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the watcher is too far behind")]
pub struct Behind;

impl Default for Feed {
    fn default() -> Self {
        Self {
            ring: Mutex::default(),
            published: watch::Sender::new(0),
            watched: AtomicBool::new(false),
        }
    }
}

impl Feed {
    /// Adds a change inside the commit that makes it.
    pub fn push(&self, change: Change) {
        let mut ring = self.lock();
        if ring.changes.len() >= KEPT {
            ring.changes.pop_front();
            ring.first += 1;
        }
        ring.changes.push_back(change);
    }

    /// Shows the changes up to a version that can be read from now on.
    pub fn publish(&self, version: u64) {
        let mut ring = self.lock();
        let shown = ring.changes.partition_point(|change| change.version <= version);
        let place = ring.first + shown as u64;
        if !self.watched.load(Ordering::Acquire) {
            // Whoever comes begins after them.
            ring.changes.drain(..shown);
            ring.first = place;
        }
        drop(ring);
        self.published.send_if_modified(|now| {
            let grown = place > *now;
            *now = place.max(*now);
            grown
        });
    }

    /// Forgets everything, so that every watcher starts over: the tasks are
    /// others now.
    pub fn start_over(&self) {
        let mut ring = self.lock();
        // One more, for watchers who had read everything.
        ring.first += ring.changes.len() as u64 + 1;
        ring.changes.clear();
        let place = ring.first;
        drop(ring);
        self.published.send_replace(place);
    }

    /// The place after the last change that is shown.
    pub fn place(&self) -> u64 {
        *self.published.borrow()
    }

    /// Tells when there is more. From now on what is shown is kept for a while.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.watched.store(true, Ordering::Release);
        self.published.subscribe()
    }

    /// The changes from a place on that are shown, at the most `max`.
    pub fn read(&self, from: u64, max: usize) -> Result<Vec<Change>, Behind> {
        let shown = self.place();
        let ring = self.lock();
        let start = from.checked_sub(ring.first).ok_or(Behind)?;
        let count = shown.checked_sub(from).ok_or(Behind)?;
        let start = usize::try_from(start).map_err(|_| Behind)?;
        let count = usize::try_from(count).unwrap_or(max).min(max);
        Ok(ring.changes.iter().skip(start).take(count).cloned().collect())
    }

    /// Every state of the ring is whole, whatever panicked.
    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Operation, Reason, TaskDraft, TaskTable};
    use crate::value::{DateTime, Str};

    fn change(version: u64) -> Change {
        let draft = TaskDraft {
            operation: Operation::Internal(Str::from("test")),
            description_id: Str::from("test"),
            label: Str::from("Test"),
            entity: None,
            entity_name: None,
            above: Arc::default(),
            locks: Vec::new(),
            cancelable: false,
            driven: false,
            reason: Reason::System,
            owner: None,
            parent: None,
            event_chain_id: 0,
            change_tag: None,
            activation_id: None,
            description: None,
        };
        Change { version, task: TaskTable::new().add(draft, DateTime::EPOCH), gone: false }
    }

    fn versions(feed: &Feed, from: u64) -> Result<Vec<u64>, Behind> {
        Ok(feed.read(from, 100)?.iter().map(|change| change.version).collect())
    }

    #[test]
    fn what_is_not_published_is_not_read() {
        let feed = Feed::default();
        drop(feed.watch());
        feed.push(change(1));
        feed.push(change(1));
        assert_eq!((feed.place(), versions(&feed, 0)), (0, Ok(vec![])));
        feed.push(change(2));
        feed.publish(1);
        assert_eq!((feed.place(), versions(&feed, 0)), (2, Ok(vec![1, 1])));
        feed.publish(2);
        assert_eq!(versions(&feed, 2), Ok(vec![2]));
        assert_eq!(versions(&feed, 3), Ok(vec![]));
        assert_eq!(versions(&feed, 4), Err(Behind), "a place that was never there");
    }

    #[test]
    fn who_is_too_slow_is_told() {
        let feed = Feed::default();
        drop(feed.watch());
        (1..=KEPT as u64 + 3).for_each(|version| feed.push(change(version)));
        feed.publish(u64::MAX);
        assert_eq!(versions(&feed, 2), Err(Behind));
        assert_eq!(feed.read(3, 1).map(|it| it.len()), Ok(1));
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let feed = Feed::default();
        feed.push(change(1));
        let kept = change(2);
        feed.push(kept.clone());
        feed.publish(1);
        assert_eq!((feed.place(), feed.lock().changes.len()), (1, 1), "what is not shown");
        feed.publish(2);
        assert_eq!(Arc::strong_count(&kept.task), 1);
        let place = feed.place();
        let _watch = feed.watch();
        feed.push(change(3));
        feed.publish(3);
        assert_eq!((place, versions(&feed, place)), (2, Ok(vec![3])));
        assert_eq!(versions(&feed, 0), Err(Behind));
    }

    #[test]
    fn after_a_new_start_everyone_is_behind() {
        let feed = Feed::default();
        let mut watch = feed.watch();
        feed.push(change(1));
        feed.publish(1);
        watch.mark_unchanged();
        let place = feed.place();
        feed.start_over();
        assert_eq!(watch.has_changed().ok(), Some(true));
        assert_eq!(versions(&feed, place), Err(Behind));
        assert_eq!(versions(&feed, feed.place()), Ok(vec![]));
    }
}
