//! `name` and `descriptionId` of every method that makes a task.

use std::collections::BTreeMap;

use vimsim::path;
use vimsim::schema::{Kind, Method, Type};
use vimsim::value::Value;

use super::client::*;

/// The ids that vCenter uses, by method; of a method that several types
/// inherit, for the type that declares it.
const IDS: &str = include_str!("names.txt");

fn ids() -> BTreeMap<&'static str, &'static str> {
    IDS.lines().filter_map(|line| line.split_once(' ')).collect()
}

#[test]
fn every_method_of_the_schema_is_described() {
    let client = Client::new();
    let description = client.read(&client.manager(), "description").unwrap();
    let description = description.as_object().unwrap();
    let methods = description.at(path!(TaskDescription, "methodInfo")).unwrap();
    let listed: BTreeMap<&str, (&str, &str)> = methods
        .items()
        .iter()
        .map(|element| {
            let text =
                |field: &str| element.as_object().unwrap().field(field).unwrap().as_str().unwrap();
            (text("key"), (text("label"), text("summary")))
        })
        .collect();
    assert_eq!(listed.len(), methods.items().len(), "each key once");
    assert!(listed.values().all(|(label, summary)| !label.is_empty() && !summary.is_empty()));
    let known = ids();
    let tasks: Vec<Method> = Method::all().filter(|called| called.is_task()).collect();
    assert_eq!(tasks.len(), known.len());
    for called in tasks {
        let id = known.get(called.name()).unwrap_or_else(|| panic!("{called} is not in the table"));
        assert!(listed.contains_key(id), "{id}");
        // Whatever type it is called on, the type's own name is in the id.
        let (_, verb) = id.rsplit_once('.').unwrap();
        let types = Type::all().filter(|ty| ty.kind() == Kind::Managed && ty.is_a(called.owner()));
        for receiver in types.filter(|ty| !ty.vmodl().contains("VmwareDistributedVirtualSwitch")) {
            let of = receiver.vmodl().strip_prefix("vim.").unwrap_or(receiver.vmodl());
            assert!(listed.contains_key(format!("{of}.{verb}").as_str()), "{of}.{verb}");
        }
    }
    let states = description.at(path!(TaskDescription, "state")).unwrap();
    let reasons = description.at(path!(TaskDescription, "reason")).unwrap();
    assert_eq!((states.items().len(), reasons.items().len()), (4, 4));
}

#[test]
fn tasks_are_named_after_their_method_and_the_type_they_act_on() {
    let client = Client::new();
    let info = |task: &vimsim::value::MoRef, field: &str| {
        let info = client.read(task, "info").unwrap();
        info.as_object()
            .unwrap()
            .field(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let renames = [
        ("DC0_H0_VM0", "VirtualMachine.rename"),
        ("LocalDS_0", "Datastore.rename"),
        ("DC0_C0", "ClusterComputeResource.rename"),
        ("DC0_DVPG0", "dvs.DistributedVirtualPortgroup.rename"),
        ("DVS0", "DistributedVirtualSwitch.rename"),
        ("DC0", "Datacenter.rename"),
    ];
    for (name, id) in renames {
        let task =
            client.make(&client.named(name), args!(Rename_Task, newName: format!("{name}x")));
        assert_eq!(
            (info(&task, "name"), info(&task, "descriptionId")),
            ("Rename_Task".into(), id.into())
        );
    }
    let task = client.make(&client.named("DC0_H0_VM0x"), args!(PowerOffVM_Task));
    assert_eq!(info(&task, "name"), "PowerOffVM_Task");
    assert_eq!(info(&task, "descriptionId"), ids()["PowerOffVM_Task"]);
    assert_eq!(info(&task, "entityName"), "DC0_H0_VM0x");
}
