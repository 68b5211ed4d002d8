//! Snapshots: their tree, what comes back, and the files below a disk.

use super::*;

const POWER: &vimsim::schema::StaticPath = path!(VirtualMachine, "runtime.powerState");
const CURRENT: &vimsim::schema::StaticPath = path!(VirtualMachine, "snapshot.currentSnapshot");

fn take(sim: &Sim, vm: &MoRef, name: &str, memory: bool) -> MoRef {
    let args = args![
        name = name.to_owned(),
        description = format!("of {name}"),
        memory = memory,
        quiesce = false
    ];
    sim.done(vm, method::CreateSnapshot_Task, args).moref()
}

/// The tree as text: `a(b c(d))`.
fn tree(sim: &Sim, vm: &MoRef) -> String {
    fn list(nodes: &[Value]) -> String {
        let nodes: Vec<String> = nodes
            .iter()
            .map(|node| {
                let node = node.as_object().expect("a node");
                let name = node.field("name").and_then(Value::as_str).expect("a name");
                match node.field("childSnapshotList").map_or(&[][..], Value::items) {
                    [] => name.to_owned(),
                    below => format!("{name}({})", list(below)),
                }
            })
            .collect();
        nodes.join(" ")
    }
    let snapshot = sim.snapshot();
    let roots = snapshot.at(vm, path!(VirtualMachine, "snapshot.rootSnapshotList"));
    list(roots.map_or(&[][..], Value::items))
}

/// The files of a machine's disk, from the one that is written down to the first.
fn files(sim: &Sim, vm: &MoRef) -> Vec<String> {
    let disk = sim.devices(vm, ty::VirtualDisk).remove(0);
    let mut at = disk.at(path!(VirtualDevice, "backing")).and_then(Value::as_object).cloned();
    let mut files = Vec::new();
    while let Some(backing) = at {
        let file = backing.field("fileName").and_then(Value::as_str).expect("a file");
        files.push(file.rsplit('/').next().expect("a name").to_owned());
        at = backing.field("parent").and_then(Value::as_object).cloned();
    }
    files
}

fn set_memory(sim: &Sim, vm: &MoRef, megabytes: i64) {
    let spec = vimsim::object!(VirtualMachineConfigSpec { memoryMB: megabytes });
    sim.done(vm, method::ReconfigVM_Task, args![spec = spec]);
}

const MEMORY: &vimsim::schema::StaticPath = path!(VirtualMachine, "config.hardware.memoryMB");

#[test]
fn a_machine_comes_back_with_its_configuration_and_its_power_state() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let running = take(&sim, &vm, "running", true);
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let off = take(&sim, &vm, "off", false);
    assert_eq!(sim.snapshot().moref(&vm, CURRENT), Some(&off));
    assert_eq!(tree(&sim, &vm), "running(off)");
    assert_eq!(
        sim.snapshot().morefs(&vm, path!(VirtualMachine, "rootSnapshot")),
        std::slice::from_ref(&running)
    );
    let children = path!(VirtualMachineSnapshot, "childSnapshot");
    assert_eq!(sim.snapshot().morefs(&running, children), std::slice::from_ref(&off));
    let before = sim.number(&vm, MEMORY);
    set_memory(&sim, &vm, 64);
    sim.done(&vm, method::RevertToCurrentSnapshot_Task, args![]);
    assert_eq!((sim.number(&vm, MEMORY), sim.text(&vm, POWER)), (before, "poweredOff".into()));
    sim.done(&vm, method::Rename_Task, args![newName = "other".to_owned()]);
    sim.done(&running, method::RevertToSnapshot_Task, args![]);
    assert_eq!(sim.text(&vm, POWER), "poweredOn");
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "name")), "other");
    assert_eq!(sim.snapshot().moref(&vm, CURRENT), Some(&running));
    // A second branch, from a machine that runs, without its memory.
    let branch = take(&sim, &vm, "branch", false);
    assert_eq!(tree(&sim, &vm), "running(off branch)");
    sim.done(&branch, method::RevertToSnapshot_Task, args![]);
    assert_eq!(sim.text(&vm, POWER), "poweredOff");
    sim.done(&running, method::RevertToSnapshot_Task, args![suppressPowerOn = true]);
    assert_eq!(sim.text(&vm, POWER), "poweredOff");
}

#[test]
fn disks_are_written_on_top_of_what_a_snapshot_keeps() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let base = files(&sim, &vm).remove(0);
    let stem = base.strip_suffix(".vmdk").expect("a disk").to_owned();
    let delta = |number: u32| format!("{stem}-{number:06}.vmdk");
    let one = take(&sim, &vm, "one", false);
    assert_eq!(files(&sim, &vm), [delta(1), base.clone()]);
    let two = take(&sim, &vm, "two", false);
    take(&sim, &vm, "three", false);
    assert_eq!(files(&sim, &vm), [delta(3), delta(2), delta(1), base.clone()]);
    // The one in the middle goes: its file takes in the next.
    sim.done(&two, method::RemoveSnapshot_Task, args![removeChildren = false]);
    assert_eq!(tree(&sim, &vm), "one(three)");
    assert_eq!(files(&sim, &vm), [delta(3), delta(1), base.clone()]);
    let needed = path!(VirtualMachine, "runtime.consolidationNeeded");
    let is_needed = |sim: &Sim| sim.snapshot().at(&vm, needed).and_then(Value::as_bool);
    sim.done(&one, method::RemoveSnapshot_Task, args![removeChildren = true, consolidate = false]);
    assert!(sim.snapshot().at(&vm, path!(VirtualMachine, "snapshot")).is_none());
    assert_eq!((files(&sim, &vm).len(), is_needed(&sim)), (3, Some(true)));
    sim.done(&vm, method::ConsolidateVMDisks_Task, args![]);
    assert_eq!((files(&sim, &vm), is_needed(&sim)), (vec![base.clone()], Some(false)));
    take(&sim, &vm, "again", true);
    let layout = path!(VirtualMachine, "layoutEx.snapshot");
    assert_eq!(sim.snapshot().at(&vm, layout).map(|list| list.items().len()), Some(1));
    sim.done(&vm, method::RemoveAllSnapshots_Task, args![]);
    assert_eq!(files(&sim, &vm), [base]);
    assert_eq!(sim.snapshot().of_type(ty::VirtualMachineSnapshot).count(), 0);
}

#[test]
fn removing_the_current_snapshot_leaves_the_one_above_it() {
    let sim = Sim::new();
    let vm = sim.vm("DC0_H0_VM0");
    let one = take(&sim, &vm, "one", false);
    let two = take(&sim, &vm, "two", false);
    sim.done(&two, method::RemoveSnapshot_Task, args![removeChildren = false]);
    assert_eq!(sim.snapshot().moref(&vm, CURRENT), Some(&one));
    sim.refused(&two, method::RevertToSnapshot_Task, args![], ty::ManagedObjectNotFound);
    take(&sim, &vm, "three", false);
    sim.done(&one, method::RevertToSnapshot_Task, args![]);
    take(&sim, &vm, "four", false);
    sim.done(&one, method::RemoveSnapshot_Task, args![removeChildren = false]);
    assert_eq!(tree(&sim, &vm), "three four");
    sim.done(&vm, method::Destroy_Task, args![]);
    assert_eq!(sim.snapshot().of_type(ty::VirtualMachineSnapshot).count(), 0);
}

#[test]
fn what_cannot_be_done_with_snapshots() {
    let sim = Sim::with(|config| {
        config.delays.methods = vec![("PowerOffVM".into(), Duration::from_secs(5))];
    });
    let vm = sim.vm("DC0_H0_VM0");
    let args = |name: &str| -> [Named; 3] {
        [
            ("name", argument(name.to_owned())),
            ("memory", argument(false)),
            ("quiesce", argument(false)),
        ]
    };
    sim.fails(&vm, method::CreateSnapshot_Task, &args(""), ty::InvalidName);
    sim.fails(&vm, method::RevertToCurrentSnapshot_Task, args![], ty::NotFound);
    let one = take(&sim, &vm, "one", false);
    sim.refused(&one, method::RenameSnapshot, args![name = String::new()], ty::InvalidName);
    sim.call(&one, method::RenameSnapshot, args![name = "uno".to_owned()]).expect("a rename");
    assert_eq!(tree(&sim, &vm), "uno");
    let slow = sim.start(&vm, method::PowerOffVM_Task, args![]).expect("a task");
    let busy = sim.start(&vm, method::CreateSnapshot_Task, &args("two")).expect("a task");
    assert_eq!(sim.outcome(&busy).fault_type(), "TaskInProgress");
    let busy = sim.start(&one, method::RemoveSnapshot_Task, args![removeChildren = false]);
    assert_eq!(sim.outcome(&busy.expect("a task")).fault_type(), "TaskInProgress");
    sim.refused(&one, method::RenameSnapshot, args![name = "x".to_owned()], ty::TaskInProgress);
    sim.advance(Duration::from_secs(5));
    assert_eq!(sim.outcome(&slow).state, "success");
    let task = sim.start(&one, method::RevertToSnapshot_Task, args![]).expect("a task");
    let described = sim.text(&task, path!(Task, "info.descriptionId"));
    assert_eq!(described, "vm.Snapshot.revert");
    assert_eq!(sim.snapshot().moref(&task, path!(Task, "info.entity")), Some(&vm));
}

#[test]
fn snapshots_follow_their_machine() {
    let sim = Sim::with(|config| config.model.ds = 2);
    let vm = sim.vm("DC0_H0_VM0");
    let one = take(&sim, &vm, "one", false);
    let held = sim.snapshot().morefs(&vm, path!(VirtualMachine, "datastore"));
    let other = sim
        .snapshot()
        .of_type(ty::Datastore)
        .map(|(mo, _)| mo.clone())
        .find(|it| !held.contains(it));
    let other = other.expect("another datastore");
    let spec = vimsim::object!(VirtualMachineRelocateSpec { datastore: &other });
    sim.done(&vm, method::RelocateVM_Task, args![spec = spec]);
    assert_eq!(
        sim.snapshot().morefs(&vm, path!(VirtualMachine, "datastore")),
        std::slice::from_ref(&other)
    );
    sim.done(&other, method::Rename_Task, args![newName = "elsewhere".to_owned()]);
    let name = path!(VirtualMachineSnapshot, "config.files.vmPathName");
    assert!(sim.text(&one, name).starts_with("[elsewhere]"), "{}", sim.text(&one, name));
    sim.done(&one, method::RevertToSnapshot_Task, args![]);
    assert_eq!(sim.snapshot().morefs(&vm, path!(VirtualMachine, "datastore")), [other]);
    assert_eq!(files(&sim, &vm).len(), 2);
}
