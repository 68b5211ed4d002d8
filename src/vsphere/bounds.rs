//! What clients together can make the server hold, where it is no matter of one
//! object: the budgets of sessions, and tasks that do not end.

use std::sync::Arc;

use super::service::Service;
use crate::collector::Budget;
use crate::engine::tasks_in;
use crate::fault::Fault;
use crate::task::TaskTable;

impl Service {
    /// What the objects of one more session count against.
    pub(super) fn session_budget(&self) -> Arc<Budget> {
        Budget::within(self.config().limits.objects, &self.budget)
    }

    /// How many objects the filters and views of all sessions hold.
    pub fn held_objects(&self) -> usize {
        self.budget.held()
    }

    /// Whether there may be one more task that has not ended; those that the
    /// server makes by itself are not asked for.
    pub fn room_for_task(&self) -> Result<(), Fault> {
        let limit = self.config().limits.tasks;
        let live = tasks_in(&self.engine().snapshot()).map_or(0, TaskTable::live_len);
        if live < limit {
            return Ok(());
        }
        // What the real product says is not documented.
        Err(Fault::system_error(&format!("there cannot be more than {limit} tasks at work")))
    }
}
