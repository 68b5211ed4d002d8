//! Privileges, and the roles that there are from the start.

use super::data::rows;
use crate::object;
use crate::schema::ty;
use crate::value::{Array, Object, Value};

/// A privilege as the data file has it.
struct Privilege {
    group: &'static str,
    name: &'static str,
    on_parent: bool,
}

impl Privilege {
    fn id(&self) -> String {
        format!("{}.{}", self.group, self.name)
    }
}

struct Group {
    id: &'static str,
    label: &'static str,
    privileges: Vec<Privilege>,
}

fn groups() -> impl Iterator<Item = Group> {
    rows(include_str!("data/privileges.txt")).map(|mut row| {
        let (id, label) = (row.next(), row.next());
        let privileges = row.next().split_whitespace().map(|name| Privilege {
            group: id,
            name: name.trim_end_matches('^'),
            on_parent: name.ends_with('^'),
        });
        Group { id, label, privileges: privileges.collect() }
    })
}

fn all() -> impl Iterator<Item = Privilege> {
    groups().flat_map(|group| group.privileges)
}

/// `privilegeList` of the AuthorizationManager.
pub(super) fn privileges() -> Array {
    let privilege = |privilege: Privilege| {
        Value::from(object!(AuthorizationPrivilege {
            privId: privilege.id(),
            onParent: privilege.on_parent,
            name: privilege.name,
            privGroupName: privilege.group,
        }))
    };
    Array::new(ty::AuthorizationPrivilege, all().map(privilege).collect())
}

/// The words of a name in capitals: `AddExistingDisk` becomes `Add existing disk`.
fn words(name: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            text.push(' ');
            text.extend(letter.to_lowercase());
        } else {
            text.push(letter);
        }
        before = letter;
    }
    text
}

/// `description` of the AuthorizationManager.
pub(super) fn description() -> Object {
    let of_group = |group: Group| {
        object!(ElementDescription { key: group.id, label: group.label, summary: group.label })
    };
    let of_privilege = |privilege: Privilege| {
        let label = words(privilege.name);
        object!(ElementDescription { key: privilege.id(), label: &label, summary: &label })
    };
    object!(AuthorizationDescription {
        privilege: all().map(of_privilege).collect::<Vec<_>>(),
        privilegeGroup: groups().map(of_group).collect::<Vec<_>>(),
    })
}

/// What every role has that can see anything.
const VIEW: [&str; 3] = ["System.Anonymous", "System.Read", "System.View"];

/// A role that is there from the start: number, name, label, and which
/// privileges it has.
type Role = (i32, &'static str, &'static str, fn(&str) -> bool);

const ROLES: &[Role] = &[
    (-1, "Admin", "Administrator", |_| true),
    (-6, "NoCryptoAdmin", "No cryptography administrator", |id| !id.starts_with("Cryptographer.")),
    (-7, "TrustedAdmin", "Trusted infrastructure administrator", |id| {
        VIEW.contains(&id) || id.starts_with("TrustedAdmin.")
    }),
    (-2, "ReadOnly", "Read-only", |id| VIEW.contains(&id)),
    (-3, "View", "View", |id| matches!(id, "System.Anonymous" | "System.View")),
    (-4, "Anonymous", "Anonymous", |id| id == "System.Anonymous"),
    (-5, "NoAccess", "No access", |_| false),
    (4, "VirtualMachinePowerUser", "Virtual machine power user (sample)", |id| {
        VIEW.contains(&id)
            || [
                "VirtualMachine.Interact.",
                "VirtualMachine.State.",
                "ScheduledTask.",
                "Datastore.Browse",
            ]
            .iter()
            .any(|prefix| id.starts_with(prefix))
            || id.starts_with("VirtualMachine.Config.") && id != "VirtualMachine.Config.ManagedBy"
            || id == "Global.CancelTask"
    }),
    (5, "VirtualMachineUser", "Virtual machine user (sample)", |id| {
        VIEW.contains(&id)
            || matches!(
                id,
                "Global.CancelTask"
                    | "ScheduledTask.Create"
                    | "ScheduledTask.Delete"
                    | "ScheduledTask.Edit"
                    | "ScheduledTask.Run"
                    | "VirtualMachine.Interact.AnswerQuestion"
                    | "VirtualMachine.Interact.ConsoleInteract"
                    | "VirtualMachine.Interact.DeviceConnection"
                    | "VirtualMachine.Interact.PowerOff"
                    | "VirtualMachine.Interact.PowerOn"
                    | "VirtualMachine.Interact.Reset"
                    | "VirtualMachine.Interact.SetCDMedia"
                    | "VirtualMachine.Interact.SetFloppyMedia"
                    | "VirtualMachine.Interact.Suspend"
                    | "VirtualMachine.Interact.ToolsInstall"
            )
    }),
    (6, "ResourcePoolAdministrator", "Resource pool administrator (sample)", |id| {
        VIEW.contains(&id)
            || [
                "Alarm.",
                "Authorization.ModifyPermissions",
                "Folder.",
                "Resource.",
                "ScheduledTask.",
            ]
            .iter()
            .any(|prefix| id.starts_with(prefix))
            || id.starts_with("VirtualMachine.")
                && !id.starts_with("VirtualMachine.GuestOperations.")
    }),
    (8, "DatastoreConsumer", "Datastore consumer (sample)", |id| {
        VIEW.contains(&id) || id == "Datastore.AllocateSpace"
    }),
    (9, "NetworkConsumer", "Network consumer (sample)", |id| {
        VIEW.contains(&id) || id == "Network.Assign"
    }),
];

/// `roleList` of the AuthorizationManager.
pub(super) fn roles() -> Array {
    let ids: Vec<String> = all().map(|privilege| privilege.id()).collect();
    let role = |(number, name, label, has): &Role| {
        let privileges: Vec<&str> = ids.iter().map(String::as_str).filter(|id| has(id)).collect();
        Value::from(object!(AuthorizationRole {
            roleId: *number,
            system: *number < 0,
            name: *name,
            info: object!(Description { label: *label, summary: *label }),
            privilege: privileges,
        }))
    };
    Array::new(ty::AuthorizationRole, ROLES.iter().map(role).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Type;

    #[test]
    fn every_privilege_that_the_schema_names_is_listed() {
        let known: Vec<String> = all().map(|privilege| privilege.id()).collect();
        let managed = Type::all().filter(|ty| ty.is_a(ty::ManagedObject));
        let mut named: Vec<&str> = managed
            .flat_map(|ty| {
                let of_methods = ty.methods().flat_map(|method| {
                    let of_params = method.params().iter().filter_map(|param| param.privilege());
                    of_params.chain(method.privilege()).collect::<Vec<_>>()
                });
                let of_fields = ty.fields().iter().filter_map(|field| field.privilege());
                of_methods.chain(of_fields).collect::<Vec<_>>()
            })
            .collect();
        named.sort_unstable();
        named.dedup();
        assert!(named.len() > 100, "the schema names few privileges: {named:?}");
        let missing: Vec<&str> =
            named.into_iter().filter(|name| !known.iter().any(|id| id == name)).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("AddExistingDisk"), "Add existing disk");
        assert_eq!(words("CPUCount"), "CPUCount");
    }
}
