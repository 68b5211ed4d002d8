//! What a restart of the server does to its tasks.
//!
//! ```text
//!   queued, running ──► failed; what their jobs did is undone
//!   ended before    ──► no longer objects; history remembers them
//! ```

use super::api::Engine;
use crate::fault::Fault;
use crate::task::{State, TaskId};

/// How many tasks one commit forgets: it stays short.
const LOT: usize = 1000;

/// What clients find at the references of the tasks that a restart interrupted.
/// History remembers them as failed in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupted {
    /// Nothing, like at all references of before. That is what clients of
    /// vCenter meet: task objects live in its memory.
    #[default]
    Gone,
    /// The task, with its error.
    Failed,
}

impl Engine {
    /// Ends whatever is at work as a restart does, with `fault`, and forgets
    /// the tasks of before. Must not be called from an arranged call.
    pub fn restart(&self, fault: &Fault, interrupted: Interrupted) {
        let pump = self.pump();
        self.restart_now(fault, interrupted);
        drop(pump);
        self.settle();
    }

    /// The same from an arranged call, while which nothing else happens.
    pub fn restart_now(&self, fault: &Fault, interrupted: Interrupted) {
        let before: Vec<TaskId> = self.tasks().finished().map(|task| task.id).collect();
        // Those that wait first, so that none of them gets its turn. Of a family
        // the children first, so that they are not cancelled by their parent.
        let mut live: Vec<(bool, TaskId)> =
            self.tasks().live().map(|task| (task.state() == State::Queued, task.id)).collect();
        live.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in &live {
            self.fail(*id, fault);
        }
        let mut gone = before;
        if interrupted == Interrupted::Gone {
            gone.extend(live.iter().map(|(_, id)| *id));
        }
        for lot in gone.chunks(LOT) {
            let forgotten = self.core.commit(|tx| {
                lot.iter().for_each(|id| tx.forget(*id));
                Ok(())
            });
            debug_assert!(forgotten.is_ok(), "forgetting cannot fail");
        }
    }
}
