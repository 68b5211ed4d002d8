//! All events that are remembered, as a persistent list: whoever holds a copy
//! has what was true then.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use imbl::Vector;

use super::record::{EventDraft, EventRecord, Scene};
use crate::value::{DateTime, MoRef};

/// How long events are remembered. Both limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long after it happened.
    pub age: Duration,
    /// How many events.
    pub count: usize,
}

impl Default for Retention {
    /// Thirty days like vCenter, and at the most a hundred thousand, which is
    /// about thirty megabytes.
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 24 * 60 * 60), count: 100_000 }
    }
}

type Hasher = foldhash::fast::FixedState;
type Latest =
    imbl::GenericHashMap<MoRef, Arc<EventRecord>, Hasher, imbl::shared_ptr::DefaultSharedPtr>;

/// The events in the order in which they happened.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    records: Vector<Arc<EventRecord>>,
    /// The latest event about each object: its scene is likely the next one's.
    latest: Latest,
}

impl EventLog {
    /// A log without events.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no event is remembered.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The latest event.
    pub fn latest(&self) -> Option<&Arc<EventRecord>> {
        self.records.last()
    }

    /// The oldest event.
    pub fn oldest(&self) -> Option<&Arc<EventRecord>> {
        self.records.head()
    }

    /// The event with this number.
    pub fn get(&self, key: i32) -> Option<&Arc<EventRecord>> {
        let at = self.records.binary_search_by(|record| record.key.cmp(&key)).ok()?;
        self.records.get(at)
    }

    /// The events in a range of places, which go from the oldest at zero to
    /// the latest.
    pub fn range(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = &Arc<EventRecord>> {
        let end = places.end.min(self.len());
        self.records.focus().narrow(places.start.min(end)..end).into_iter()
    }

    /// All events, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<EventRecord>> {
        self.records.iter()
    }

    /// How many events have `holds`, which holds for the oldest ones and then
    /// no more, as numbers and times do.
    pub fn partition_point(&self, holds: impl Fn(&EventRecord) -> bool) -> usize {
        let side = |record: &Arc<EventRecord>| {
            if holds(record) { Ordering::Less } else { Ordering::Greater }
        };
        self.records.binary_search_by(side).unwrap_or_else(|place| place)
    }

    /// Adds the event that `draft` describes; `key` is above all others, `time`
    /// is not before any.
    pub fn push(&mut self, mut draft: EventDraft, key: i32, time: DateTime) -> Arc<EventRecord> {
        let scene = std::mem::take(&mut draft.scene);
        let shared = self.share(&scene);
        let mut record = EventRecord::new(draft, key, time);
        record.scene = shared.unwrap_or_else(|| Arc::new(scene));
        let record = Arc::new(record);
        if let Some(about) = record.scene.about() {
            self.latest.insert(about.clone(), Arc::clone(&record));
        }
        self.records.push_back(Arc::clone(&record));
        record
    }

    /// The scene of the latest event about the same object, if it is the same.
    fn share(&self, scene: &Scene) -> Option<Arc<Scene>> {
        let latest = self.latest.get(scene.about()?)?;
        (*latest.scene == *scene).then(|| Arc::clone(&latest.scene))
    }

    /// Forgets what is beyond the limits; whether anything was.
    pub fn trim(&mut self, retention: &Retention, now: DateTime) -> bool {
        let before = self.len();
        while let Some(oldest) = self.records.head() {
            if self.len() <= retention.count && oldest.time.after(retention.age) > now {
                break;
            }
            if let Some(about) = oldest.scene.about()
                && self.latest.get(about).is_some_and(|latest| latest.key == oldest.key)
            {
                self.latest.remove(about);
            }
            self.records.pop_front();
        }
        self.len() != before
    }

    /// When the oldest event is to be forgotten because of its age.
    pub fn next_end(&self, retention: &Retention) -> Option<DateTime> {
        Some(self.oldest()?.time.after(retention.age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;
    use crate::schema::ty;

    fn at(seconds: u64) -> DateTime {
        DateTime::EPOCH.after(Duration::from_secs(seconds))
    }

    fn draft(vm: &str, host: &str) -> EventDraft {
        let vm = MoRef::new(ty::VirtualMachine, vm);
        let host =
            object!(HostEventArgument { name: host, host: MoRef::new(ty::HostSystem, host) });
        let scene = Scene::new(&object!(Event { host: host }), Some(vm), Arc::default());
        EventDraft::new(&object!(VmPoweredOnEvent { template: false }), scene)
    }

    fn keys(log: &EventLog) -> Vec<i32> {
        log.iter().map(|record| record.key).collect()
    }

    #[test]
    fn events_are_found_by_number_and_by_time() {
        let mut log = EventLog::new();
        for key in 1..=200 {
            log.push(draft("vm-1", "a"), key * 3, at(key as u64 / 2));
        }
        assert_eq!(log.get(300).map(|record| record.time), Some(at(50)));
        assert!(log.get(301).is_none());
        let from = log.partition_point(|record| record.time < at(50));
        let to = log.partition_point(|record| record.key <= 306);
        let found: Vec<i32> = log.range(from..to).map(|record| record.key).collect();
        assert_eq!(found, [300, 303, 306]);
        let newest: Vec<i32> = log.range(190..9999).rev().map(|r| r.key).take(2).collect();
        assert_eq!(newest, [600, 597]);
    }

    #[test]
    fn scenes_are_shared_while_they_stay_the_same() {
        let mut log = EventLog::new();
        let hosts = ["a", "a", "b", "b"];
        let scenes: Vec<Arc<Scene>> = (1..)
            .zip(hosts)
            .map(|(key, host)| {
                log.push(draft("vm-2", "a"), key * 2, at(0));
                Arc::clone(&log.push(draft("vm-1", host), key * 2 + 1, at(0)).scene)
            })
            .collect();
        let same: Vec<bool> = scenes.windows(2).map(|w| Arc::ptr_eq(&w[0], &w[1])).collect();
        assert_eq!(same, [true, false, true]);
    }

    #[test]
    fn a_trimmed_log_holds_nothing_of_what_it_forgot() {
        let retention = Retention { age: Duration::from_secs(10), count: 3 };
        let mut log = EventLog::new();
        for key in 1..=5 {
            log.push(draft(&format!("vm-{key}"), "a"), key, at(key as u64));
        }
        let old = log.clone();
        let first = old.get(1).map(Arc::downgrade);
        assert!(log.trim(&retention, at(5)));
        assert_eq!((keys(&log), log.latest.len()), (vec![3, 4, 5], 3));
        assert!(!log.trim(&retention, at(12)));
        assert_eq!(log.next_end(&retention), Some(at(13)));
        assert!(log.trim(&retention, at(13)));
        assert_eq!(keys(&log), [4, 5]);
        assert_eq!(keys(&old), [1, 2, 3, 4, 5]);
        drop(old);
        assert!(first.is_some_and(|first| first.upgrade().is_none()));
        assert!(log.trim(&retention, at(99)));
        assert!(log.is_empty() && log.latest.is_empty() && log.next_end(&retention).is_none());
    }
}
