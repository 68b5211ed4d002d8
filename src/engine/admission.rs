//! Who may work on what: one long operation for each entity at a time.
//!
//! Pure, and persistent like the task table: it is part of the same commits.
//!
//! - A task names everything it will hold and gets all of it at once, or
//!   waits. So tasks that hold one thing and wait for another do not exist,
//!   and neither do deadlocks among them.
//! - Waiting tasks get their turn in the order of their numbers, entity by
//!   entity: nobody overtakes, however many entities the others want.
//! - A child may hold what a task above it holds: a vApp that starts keeps
//!   strangers away from its members, but not its own power-on tasks. For the
//!   same reason a child queues behind its siblings only; among others it
//!   might wait for somebody who waits for its parent. Where a child would
//!   have to wait for a holder that, by way of its own children, waits for the
//!   child's parent, it is refused instead.

use std::sync::Arc;

use imbl::{GenericHashMap, OrdSet};
use smallvec::SmallVec;

use crate::task::TaskId;
use crate::value::MoRef;

/// What a task does when something it needs is held by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Busy {
    /// It fails with `TaskInProgress`: for operations that declare that fault.
    /// Behind tasks that wait themselves and hold nothing yet, it waits, too.
    Refuse,
    /// It stays queued until its turn comes.
    Wait,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The task holds what it asked for.
    Granted,
    /// It is in line.
    Waits,
    /// It got nothing, because of this task.
    Refused(TaskId),
}

/// Seeded once and for all: the order of iteration is never left to chance.
type HashMap<K, V> =
    GenericHashMap<K, V, foldhash::fast::FixedState, imbl::shared_ptr::DefaultSharedPtr>;

#[derive(Debug)]
struct Request {
    locks: SmallVec<[MoRef; 1]>,
    /// The tasks above, nearest first.
    above: SmallVec<[TaskId; 1]>,
}

#[derive(Clone, Debug, Default)]
struct Lock {
    /// More than one only where each but the first is below another.
    holders: SmallVec<[TaskId; 1]>,
    /// Tasks without a parent that wait.
    queue: OrdSet<TaskId>,
    /// Children that wait; they do not stand behind the queue.
    children: OrdSet<TaskId>,
}

impl Lock {
    fn is_unused(&self) -> bool {
        self.holders.is_empty() && self.queue.is_empty() && self.children.is_empty()
    }
}

/// Everything that is held and waited for.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    locks: HashMap<MoRef, Lock>,
    holding: HashMap<TaskId, Arc<Request>>,
    waiting: HashMap<TaskId, Arc<Request>>,
    /// Those of the waiting that have a parent.
    waiting_children: OrdSet<TaskId>,
}

impl Admission {
    /// The task that holds `entity`, if one does; the outermost of a family.
    pub fn holder(&self, entity: &MoRef) -> Option<TaskId> {
        self.locks.get(entity)?.holders.first().copied()
    }

    /// Whether nothing is held or waited for.
    pub fn is_idle(&self) -> bool {
        self.locks.is_empty() && self.holding.is_empty() && self.waiting.is_empty()
    }

    /// `task`, below the tasks `above` (nearest first), asks for `wanted`.
    pub fn request(
        &mut self,
        task: TaskId,
        above: impl IntoIterator<Item = TaskId>,
        wanted: &[MoRef],
        busy: Busy,
    ) -> Answer {
        if wanted.is_empty() {
            return Answer::Granted;
        }
        let mut locks: SmallVec<[MoRef; 1]> = wanted.iter().cloned().collect();
        locks.sort();
        locks.dedup();
        let request = Arc::new(Request { locks, above: above.into_iter().collect() });
        let holder = self.blocking_holder(task, &request);
        match (holder, busy) {
            (Some(holder), Busy::Refuse) => return Answer::Refused(holder),
            (Some(holder), Busy::Wait) if self.would_close_a_circle(task, &request) => {
                return Answer::Refused(holder);
            }
            _ => {}
        }
        self.wait(task, request);
        if self.try_grant(task) { Answer::Granted } else { Answer::Waits }
    }

    /// `task` no longer holds or waits for anything; gives the tasks that hold
    /// what they wanted because of this, in the order of their numbers.
    pub fn release(&mut self, task: TaskId) -> Vec<TaskId> {
        let request = match self.holding.remove(&task) {
            Some(request) => {
                for entity in &request.locks {
                    self.edit(entity, |lock| lock.holders.retain(|holder| *holder != task));
                }
                request
            }
            None => match self.leave(task) {
                Some(request) => request,
                None => return Vec::new(),
            },
        };
        let mut next: Vec<TaskId> = Vec::new();
        for entity in &request.locks {
            let Some(lock) = self.locks.get(entity) else { continue };
            next.extend(&lock.children);
            next.extend(lock.queue.get_min());
        }
        next.sort_unstable();
        next.dedup();
        next.retain(|task| self.try_grant(*task));
        next
    }

    /// Puts the task in line everywhere.
    fn wait(&mut self, task: TaskId, request: Arc<Request>) {
        let child = !request.above.is_empty();
        for entity in &request.locks {
            let lock = self.locks.entry(entity.clone()).or_default();
            let line = if child { &mut lock.children } else { &mut lock.queue };
            line.insert(task);
        }
        if child {
            self.waiting_children.insert(task);
        }
        self.waiting.insert(task, request);
    }

    /// Takes the task out of all lines.
    fn leave(&mut self, task: TaskId) -> Option<Arc<Request>> {
        let request = self.waiting.remove(&task)?;
        self.waiting_children.remove(&task);
        for entity in &request.locks {
            self.edit(entity, |lock| {
                lock.queue.remove(&task);
                lock.children.remove(&task);
            });
        }
        Some(request)
    }

    /// Gives a waiting task what it wants, if it is its turn everywhere.
    fn try_grant(&mut self, task: TaskId) -> bool {
        let Some(request) = self.waiting.get(&task).cloned() else { return false };
        let turn = request.locks.iter().all(|entity| {
            let Some(lock) = self.locks.get(entity) else { return true };
            let first = if request.above.is_empty() {
                lock.queue.get_min() == Some(&task)
            } else {
                // Only its own siblings stand before it.
                !lock.children.range(..task).any(|other| self.siblings(&request, *other))
            };
            first && lock.holders.iter().all(|holder| request.above.contains(holder))
        });
        if !turn {
            return false;
        }
        self.leave(task);
        for entity in &request.locks {
            self.locks.entry(entity.clone()).or_default().holders.push(task);
        }
        self.holding.insert(task, request);
        true
    }

    fn siblings(&self, request: &Request, other: TaskId) -> bool {
        self.waiting.get(&other).is_some_and(|other| other.above.first() == request.above.first())
    }

    /// A task that holds something of the request and is not above the task.
    fn blocking_holder(&self, task: TaskId, request: &Request) -> Option<TaskId> {
        let locks = request.locks.iter().filter_map(|entity| self.locks.get(entity));
        locks
            .flat_map(|lock| lock.holders.iter().copied())
            .find(|holder| *holder != task && !request.above.contains(holder))
    }

    /// Whether waiting would never end: whether a holder that the task would
    /// wait for waits, by way of children of its own, for a task above it.
    fn would_close_a_circle(&self, task: TaskId, request: &Request) -> bool {
        if request.above.is_empty() {
            return false;
        }
        let mut seen: SmallVec<[TaskId; 8]> = SmallVec::new();
        let mut open: SmallVec<[TaskId; 8]> = self.holders_before(task, request);
        while let Some(holder) = open.pop() {
            if seen.contains(&holder) {
                continue;
            }
            seen.push(holder);
            let waiting = self.waiting_children.iter();
            for (child, wanted) in waiting.filter_map(|id| self.waiting.get_key_value(id)) {
                if !wanted.above.contains(&holder) {
                    continue;
                }
                let before = self.holders_before(*child, wanted);
                if before.iter().any(|holder| request.above.contains(holder)) {
                    return true;
                }
                open.extend(before);
            }
        }
        false
    }

    fn holders_before(&self, task: TaskId, request: &Request) -> SmallVec<[TaskId; 8]> {
        request
            .locks
            .iter()
            .filter_map(|entity| self.locks.get(entity))
            .flat_map(|lock| lock.holders.iter().copied())
            .filter(|holder| *holder != task && !request.above.contains(holder))
            .collect()
    }

    /// Changes a lock, and forgets it when nobody has to do with it any more.
    fn edit(&mut self, entity: &MoRef, change: impl FnOnce(&mut Lock)) {
        let Some(lock) = self.locks.get_mut(entity) else { return };
        change(lock);
        if lock.is_unused() {
            self.locks.remove(entity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{Granted, Refused, Waits};
    use super::*;
    use crate::schema::ty;

    fn id(number: u64) -> TaskId {
        TaskId::new(number)
    }

    fn vm(number: u32) -> MoRef {
        MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
    }

    #[test]
    fn an_entity_has_one_holder_and_a_line_in_order() {
        let mut admission = Admission::default();
        assert_eq!(admission.request(id(1), [], &[vm(1)], Busy::Wait), Granted);
        assert_eq!(admission.request(id(2), [], &[vm(1)], Busy::Wait), Waits);
        assert_eq!(admission.request(id(3), [], &[vm(1)], Busy::Refuse), Refused(id(1)));
        assert_eq!(admission.request(id(4), [], &[vm(1)], Busy::Wait), Waits);
        assert_eq!(admission.request(id(5), [], &[vm(2)], Busy::Refuse), Granted);
        assert_eq!(admission.request(id(6), [], &[], Busy::Refuse), Granted);
        assert_eq!(admission.release(id(1)), [id(2)]);
        assert_eq!(admission.holder(&vm(1)), Some(id(2)));
        assert_eq!(admission.release(id(2)), [id(4)]);
        assert!(admission.release(id(4)).is_empty() && admission.release(id(5)).is_empty());
        assert!(admission.is_idle());
    }

    #[test]
    fn several_entities_are_had_all_at_once_or_not() {
        let mut admission = Admission::default();
        assert_eq!(admission.request(id(1), [], &[vm(1)], Busy::Wait), Granted);
        assert_eq!(admission.request(id(2), [], &[vm(2), vm(1), vm(2)], Busy::Wait), Waits);
        assert_eq!(admission.holder(&vm(2)), None);
        // Behind the second task, although nobody holds what it wants.
        assert_eq!(admission.request(id(3), [], &[vm(2)], Busy::Wait), Waits);
        assert_eq!(admission.release(id(1)), [id(2)]);
        assert_eq!(admission.release(id(2)), [id(3)]);
        admission.release(id(3));
        assert!(admission.is_idle());
    }

    #[test]
    fn who_leaves_the_line_lets_the_next_one_through() {
        let mut admission = Admission::default();
        admission.request(id(1), [], &[vm(1)], Busy::Wait);
        admission.request(id(2), [], &[vm(1), vm(2)], Busy::Wait);
        assert_eq!(admission.request(id(3), [], &[vm(2)], Busy::Wait), Waits);
        assert_eq!(admission.release(id(2)), [id(3)]);
        assert!(admission.release(id(9)).is_empty());
    }

    #[test]
    fn children_share_what_is_above_them() {
        let mut admission = Admission::default();
        assert_eq!(admission.request(id(1), [], &[vm(1), vm(2)], Busy::Wait), Granted);
        assert_eq!(admission.request(id(2), [], &[vm(1)], Busy::Wait), Waits);
        // The child overtakes the stranger, who waits for its parent.
        assert_eq!(admission.request(id(3), [id(1)], &[vm(1)], Busy::Refuse), Granted);
        // Siblings do not share.
        assert_eq!(admission.request(id(4), [id(1)], &[vm(1)], Busy::Wait), Waits);
        assert_eq!(admission.request(id(5), [id(1)], &[vm(1)], Busy::Refuse), Refused(id(3)));
        // A grandchild shares with both above it.
        assert_eq!(admission.request(id(6), [id(3), id(1)], &[vm(1)], Busy::Wait), Granted);
        assert!(admission.release(id(6)).is_empty());
        assert_eq!(admission.release(id(3)), [id(4)]);
        assert!(admission.release(id(1)).is_empty(), "a child still holds it");
        assert_eq!(admission.release(id(4)), [id(2)]);
        admission.release(id(2));
        assert!(admission.is_idle());
    }

    #[test]
    fn families_that_would_wait_for_each_other_are_refused() {
        let mut admission = Admission::default();
        admission.request(id(1), [], &[vm(1)], Busy::Wait);
        admission.request(id(2), [], &[vm(2)], Busy::Wait);
        assert_eq!(admission.request(id(3), [id(1)], &[vm(2)], Busy::Wait), Waits);
        assert_eq!(admission.request(id(4), [id(2)], &[vm(1)], Busy::Wait), Refused(id(1)));
        assert_eq!(admission.release(id(2)), [id(3)]);
    }
}
