//! How much one client may hold, counted in objects.
//!
//! A filter over everything holds something for each object that it watches,
//! and a client may have thousands of filters; what it lists in views and
//! writes into specifications is kept as well. All of this counts against one
//! [`Budget`] of the client, and that of all clients together against another.
//!
//! ```text
//!   Share (a filter) ─┐
//!   Share (a view) ───┼─► Budget of a session ─┐
//!   Share (a filter) ─┘                        ├─► Budget of the server
//!                         Budget of a session ─┘
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::fault::Fault;
use crate::value::{Object, Value};

/// So many bytes of text count as one object more.
const TEXT: usize = 64;

/// So many properties of an object, set or not, count as one object more.
const SLOTS: usize = 4;

/// How many objects may be held, and how many are.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    held: AtomicUsize,
    within: Option<Arc<Self>>,
}

impl Budget {
    /// A budget of `limit` objects.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), within: None })
    }

    /// A budget of `limit` objects which count against another one as well.
    pub fn within(limit: usize, whole: &Arc<Self>) -> Arc<Self> {
        Arc::new(Self { limit, held: AtomicUsize::new(0), within: Some(whole.clone()) })
    }

    /// A part of the budget, which holds nothing yet.
    pub fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), held: 0 }
    }

    /// How many objects are held.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn take(&self, more: usize) -> Result<(), Exceeded> {
        let room = |held: usize| held.checked_add(more).filter(|held| *held <= self.limit);
        let taken = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        taken.map_err(|_| Exceeded { limit: self.limit })?;
        let Some(whole) = &self.within else { return Ok(()) };
        whole.take(more).inspect_err(|_| {
            self.held.fetch_sub(more, Ordering::Relaxed);
        })
    }

    fn give(&self, less: usize) {
        self.held.fetch_sub(less, Ordering::Relaxed);
        if let Some(whole) = &self.within {
            whole.give(less);
        }
    }
}

/// There are as many objects as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filters and views cannot hold more than {limit} objects")]
pub struct Exceeded {
    /// How many there may be.
    pub limit: usize,
}

impl From<Exceeded> for Fault {
    /// What the real product says is not documented; this fault every method
    /// may raise.
    fn from(exceeded: Exceeded) -> Self {
        Self::system_error(&exceeded.to_string())
    }
}

/// What one thing holds of a budget; given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    held: usize,
}

impl Share {
    /// Holds so many objects from now on, if there may be so many; otherwise as
    /// many as before. To hold fewer is always possible.
    pub fn hold(&mut self, objects: usize) -> Result<(), Exceeded> {
        if let Some(more) = objects.checked_sub(self.held) {
            self.budget.take(more)?;
        } else {
            self.budget.give(self.held - objects);
        }
        self.held = objects;
        Ok(())
    }

    /// How many objects it holds.
    pub fn held(&self) -> usize {
        self.held
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give(self.held);
    }
}

/// What an argument counts that is kept: one for each value in it, and more for
/// long texts and for the room of properties that are not set.
pub fn weight(object: &Object) -> usize {
    let slots = object.slots();
    1 + slots.len() / SLOTS + slots.iter().flatten().map(weight_of).sum::<usize>()
}

/// The decoder bounds how deep values are nested, and so this recursion.
fn weight_of(value: &Value) -> usize {
    match value {
        Value::Object(object) => weight(object),
        Value::Array(array) => 1 + array.iter().map(weight_of).sum::<usize>(),
        other => 1 + other.as_str().map_or(0, |text| text.len() / TEXT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    #[test]
    fn shares_count_together_and_are_given_back() {
        let whole = Budget::new(10);
        let (one, other) = (Budget::within(6, &whole), Budget::within(6, &whole));
        let (mut a, mut b, mut c) = (one.share(), one.share(), other.share());
        assert_eq!(a.hold(4), Ok(()));
        assert_eq!(b.hold(3), Err(Exceeded { limit: 6 }));
        assert_eq!(b.hold(2), Ok(()));
        // The budget of both together is less than the two.
        assert_eq!(c.hold(5), Err(Exceeded { limit: 10 }));
        assert_eq!((one.held(), other.held(), whole.held()), (6, 0, 6), "refused is not held");
        assert_eq!(a.hold(1), Ok(()));
        assert_eq!(c.hold(5), Ok(()));
        assert_eq!(c.hold(usize::MAX), Err(Exceeded { limit: 6 }));
        drop(b);
        assert_eq!((one.held(), other.held(), whole.held()), (1, 5, 6));
        drop((a, c));
        assert_eq!((one.held(), other.held(), whole.held()), (0, 0, 0));
    }

    #[test]
    fn what_is_long_weighs_more() {
        let spec = |name: &str| object!(PropertySpec { type: "Task", pathSet: vec![name, name] });
        let (short, long) = (weight(&spec("info")), weight(&spec(&"x".repeat(100 * TEXT))));
        assert!((5..8).contains(&short), "an object, its type, a list, its two elements: {short}");
        assert_eq!(long, short + 200);
    }
}
