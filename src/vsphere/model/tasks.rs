//! Descriptions of tasks: their states and reasons, and what each kind is called.

use std::collections::BTreeSet;

use super::data::rows;
use super::events::words;
use crate::object;
use crate::schema::{Type, ty};
use crate::value::{Object, Str};
use crate::vsphere::operation::description_id;

/// `description` of the TaskManager: every method that makes a task, on every
/// type that has it.
pub(super) fn description() -> Object {
    let element = |(key, label, summary): (&str, &str, &str)| {
        object!(ElementDescription { key: key, label: label, summary: summary })
    };
    let reason = |(key, label, summary): (&str, &str, &str)| {
        object!(TypeDescription { key: key, label: label, summary: summary })
    };
    let methods = description_ids().into_iter().map(|id| {
        let label = label(&id);
        object!(ElementDescription { key: &id, label: &label, summary: &label })
    });
    object!(TaskDescription {
        methodInfo: methods.collect::<Vec<_>>(),
        state: [
            ("queued", "Queued", "The task waits for its turn"),
            ("running", "Running", "The task is under way"),
            ("success", "Success", "The task is complete"),
            ("error", "Error", "The task failed or was cancelled"),
        ]
        .map(element),
        reason: [
            ("TaskReasonSystem", "System", "Started by the server"),
            ("TaskReasonUser", "User", "Started by a user"),
            ("TaskReasonAlarm", "Alarm", "Started by an alarm"),
            ("TaskReasonSchedule", "Schedule", "Started by a scheduled task"),
        ]
        .map(reason),
    })
}

/// What a kind of task is called. Extensions name theirs elsewhere; here an
/// unknown id stands for itself.
pub fn label(description_id: &str) -> Str {
    let known = rows(include_str!("data/tasks.txt"))
        .find_map(|mut row| (row.next() == description_id).then(|| row.next()));
    if let Some(label) = known {
        return Str::from(label);
    }
    let Some((of, name)) = description_id.rsplit_once('.') else {
        return Str::from(description_id);
    };
    if Type::by_vmodl(&format!("vim.{of}")).is_none() {
        return Str::from(description_id);
    }
    let name = if name == "destroy" { "delete" } else { name };
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let action = words(&first.into_iter().chain(letters).collect::<String>());
    if action.contains(' ') {
        return Str::from(action);
    }
    let noun = words(of.rsplit('.').next().unwrap_or(of)).to_lowercase();
    Str::from(format!("{action} {}", noun.strip_suffix(" system").unwrap_or(&noun)))
}

fn description_ids() -> BTreeSet<String> {
    ty::ManagedObject
        .derived()
        .flat_map(|of| {
            let tasks = of.methods().filter(|method| method.is_task());
            tasks.map(move |method| description_id(of, method))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_tasks_of_the_schema() {
        let ids = description_ids();
        for mut row in rows(include_str!("data/tasks.txt")) {
            let id = row.next();
            assert!(ids.contains(id), "{id} is no task");
        }
    }

    #[test]
    fn labels() {
        for (id, expected) in [
            ("VirtualMachine.powerOn", "Power On virtual machine"),
            ("VirtualMachine.destroy", "Delete virtual machine"),
            ("HostSystem.disconnect", "Disconnect host"),
            ("VirtualMachine.upgradeVirtualHardware", "Upgrade virtual hardware"),
            ("dvs.DistributedVirtualPortgroup.rename", "Rename distributed virtual portgroup"),
            ("com.vmware.govmomi.simulator.test", "com.vmware.govmomi.simulator.test"),
        ] {
            assert_eq!(label(id).as_str(), expected);
        }
    }
}
