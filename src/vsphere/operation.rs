//! What a `_Task` method asks the engine to do, and how its task is described.

use crate::engine::Job;
use crate::schema::{Method, Type, ty};
use crate::value::MoRef;

/// Work that a method wants done as a task.
pub struct Operation {
    pub(super) job: Box<dyn Job>,
    pub(super) entity: Option<MoRef>,
    pub(super) locks: Vec<MoRef>,
    pub(super) cancelable: bool,
    pub(super) holds: bool,
}

impl Operation {
    /// A task that runs `job` on the method's receiver, which it locks.
    pub fn new(job: impl Job) -> Self {
        Self { job: Box::new(job), entity: None, locks: Vec::new(), cancelable: false, holds: true }
    }

    /// Names another entity than the receiver as what the task is about.
    #[must_use]
    pub fn on(mut self, entity: &MoRef) -> Self {
        self.entity = Some(entity.clone());
        self
    }

    /// Locks these objects too while the task runs.
    #[must_use]
    pub fn locking(mut self, objects: impl IntoIterator<Item = MoRef>) -> Self {
        self.locks.extend(objects);
        self
    }

    /// Leaves the entity free while the task runs: others may work on it too,
    /// as when several machines are made in one folder or from one template.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.holds = false;
        self
    }

    /// Lets clients cancel the task.
    #[must_use]
    pub fn cancelable(mut self) -> Self {
        self.cancelable = true;
        self
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("entity", &self.entity)
            .field("locks", &self.locks)
            .field("cancelable", &self.cancelable)
            .finish_non_exhaustive()
    }
}

/// The `descriptionId` of a task that `method` makes on a receiver of type
/// `receiver`: the receiver's vmodl type without `vim.`, a dot, and the vmodl
/// method name with a lower first letter. Operations that vCenter hands on to
/// an internal one keep the public name here.
pub fn description_id(receiver: Type, method: Method) -> String {
    // Methods of the base types are described by the concrete type; an
    // extension of the schema's distributed switch is described as the switch.
    let receiver = if receiver == ty::VmwareDistributedVirtualSwitch {
        ty::DistributedVirtualSwitch
    } else {
        receiver
    };
    let of = receiver.vmodl();
    let mut name = method.vmodl().chars();
    let first = name.next().map(|letter| letter.to_ascii_lowercase()).into_iter();
    let name: String = first.chain(name).collect();
    format!("{}.{name}", of.strip_prefix("vim.").unwrap_or(of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::method;

    #[test]
    fn description_ids_that_vcenter_shows() {
        for (receiver, method, expected) in [
            (ty::VirtualMachine, method::PowerOnVM_Task, "VirtualMachine.powerOn"),
            (ty::VirtualMachine, method::ReconfigVM_Task, "VirtualMachine.reconfigure"),
            (ty::VirtualMachine, method::Destroy_Task, "VirtualMachine.destroy"),
            (ty::Folder, method::CreateVM_Task, "Folder.createVm"),
            (ty::Datacenter, method::PowerOnMultiVM_Task, "Datacenter.powerOnVm"),
            (ty::VirtualMachineSnapshot, method::RemoveSnapshot_Task, "vm.Snapshot.remove"),
            (
                ty::DistributedVirtualPortgroup,
                method::Destroy_Task,
                "dvs.DistributedVirtualPortgroup.destroy",
            ),
        ] {
            assert_eq!(description_id(receiver, method), expected);
        }
    }
}
