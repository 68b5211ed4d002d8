//! Snapshots: a machine's configuration, power state and disks to come back to.
//!
//! The machine writes on in new files on top of those that the snapshot keeps;
//! see [`super::disk_chain`]. A machine that is reverted keeps its name, its
//! identity and its place in the inventory.

use super::disk_chain;
use super::snapshot_tree::{Tree, snapshot_of};
use super::state::{self, OFF, ON};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{model, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::CreateSnapshot_Task, Handler::Task(create)),
    (ty::VirtualMachine, method::CreateSnapshotEx_Task, Handler::Task(create_ex)),
    (ty::VirtualMachine, method::RevertToCurrentSnapshot_Task, Handler::Task(revert_to_current)),
    (ty::VirtualMachine, method::RemoveAllSnapshots_Task, Handler::Task(remove_all)),
    (ty::VirtualMachine, method::ConsolidateVMDisks_Task, Handler::Task(consolidate)),
    (ty::VirtualMachineSnapshot, method::RevertToSnapshot_Task, Handler::Task(revert)),
    (ty::VirtualMachineSnapshot, method::RemoveSnapshot_Task, Handler::Task(remove)),
    (ty::VirtualMachineSnapshot, method::RenameSnapshot, Handler::Now(rename)),
];

/// How many snapshots can stand one below the other.
const DEEPEST: usize = 32;
/// The longest name of a snapshot.
const LONGEST_NAME: usize = 80;

// The schema has no events of snapshots. vCenter tells of these by their ids;
// of other operations on snapshots only their tasks tell.
const REVERTED: &str = "com.vmware.vc.vm.VmStateRevertedToSnapshot";
const NOT_REVERTED: &str = "com.vmware.vc.vm.VmStateFailedToRevertToSnapshot";
const UNMERGED: &str = "com.vmware.vc.VmDiskConsolidationNeeded";
const MERGED: &str = "com.vmware.vc.VmDiskConsolidatedEvent";

fn create(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Create {
        vm: call.this.clone(),
        name: call.text(arg!(CreateSnapshot_Task.name)).to_owned(),
        description: call.text(arg!(CreateSnapshot_Task.description)).to_owned(),
        memory: call.flag(arg!(CreateSnapshot_Task.memory)),
        quiesce: call.flag(arg!(CreateSnapshot_Task.quiesce)),
    }))
}

fn create_ex(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Create {
        vm: call.this.clone(),
        name: call.text(arg!(CreateSnapshotEx_Task.name)).to_owned(),
        description: call.text(arg!(CreateSnapshotEx_Task.description)).to_owned(),
        memory: call.flag(arg!(CreateSnapshotEx_Task.memory)),
        quiesce: call.get(arg!(CreateSnapshotEx_Task.quiesceSpec)).is_some(),
    }))
}

/// The machine that a snapshot belongs to.
fn machine_of(service: &Service, snapshot: &MoRef) -> Result<MoRef, Fault> {
    let state = service.engine().snapshot();
    let vm = state.moref(snapshot, path!(VirtualMachineSnapshot, "vm")).cloned();
    vm.ok_or_else(|| Fault::not_found(snapshot))
}

fn revert_to_current(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let host = call.moref(arg!(RevertToCurrentSnapshot_Task.host));
    check_host(service, &call.this, host)?;
    Ok(Operation::new(Revert {
        vm: call.this.clone(),
        to: None,
        host: host.cloned(),
        stay_off: call.flag(arg!(RevertToCurrentSnapshot_Task.suppressPowerOn)),
    }))
}

fn revert(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let vm = machine_of(service, &call.this)?;
    let host = call.moref(arg!(RevertToSnapshot_Task.host));
    check_host(service, &vm, host)?;
    let job = Revert {
        vm: vm.clone(),
        to: Some(call.this.clone()),
        host: host.cloned(),
        stay_off: call.flag(arg!(RevertToSnapshot_Task.suppressPowerOn)),
    };
    Ok(Operation::new(job).on(&vm))
}

/// A host to come back on has to be one of the machine's compute resource.
fn check_host(service: &Service, vm: &MoRef, host: Option<&MoRef>) -> Result<(), Fault> {
    let Some(host) = host else { return Ok(()) };
    let state = service.engine().snapshot();
    if !state.exists(host) {
        return Err(Fault::not_found(host));
    }
    let now = state::host(&*state, vm)?;
    match placement::compute_of(&*state, host) == placement::compute_of(&*state, &now) {
        true => Ok(()),
        false => Err(Fault::invalid_argument("host")),
    }
}

fn remove(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let vm = machine_of(service, &call.this)?;
    let job = Remove {
        vm: vm.clone(),
        only: Some(call.this.clone()),
        with_all_below: call.flag(arg!(RemoveSnapshot_Task.removeChildren)),
        merge: is_merging(call, arg!(RemoveSnapshot_Task.consolidate)),
    };
    Ok(Operation::new(job).on(&vm))
}

fn remove_all(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Remove {
        vm: call.this.clone(),
        only: None,
        with_all_below: true,
        merge: is_merging(call, arg!(RemoveAllSnapshots_Task.consolidate)),
    }))
}

/// Files are merged unless the client says no.
fn is_merging(call: &Call, slot: usize) -> bool {
    call.get(slot).and_then(Value::as_bool).unwrap_or(true)
}

fn consolidate(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(Consolidate { vm: call.this.clone() }))
}

fn rename(service: &Service, call: &Call) -> Answer {
    let (name, description) =
        (call.get(arg!(RenameSnapshot.name)), call.get(arg!(RenameSnapshot.description)));
    if let Some(name) = name.and_then(Value::as_str) {
        check_name(name)?;
    }
    let vm = machine_of(service, &call.this)?;
    service.engine().commit(|tx| {
        state::refuse_busy(tx, &vm)?;
        let mut tree = Tree::read(tx, &vm);
        tree.edit(&call.this, |node| {
            let mut next = node.edit();
            if let Some(name) = name {
                next.set(const { ty::VirtualMachineSnapshotTree.slot("name") }, name);
            }
            if let Some(text) = description {
                next.set(const { ty::VirtualMachineSnapshotTree.slot("description") }, text);
            }
            vec![next.finish()]
        });
        write(tx, &vm, &tree, None, None)
    })?;
    Ok(None)
}

fn check_name(name: &str) -> Result<(), Fault> {
    if name.trim().is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(Fault::invalid_name(name, None));
    }
    Ok(())
}

/// The configuration that a snapshot keeps.
fn kept(state: &(impl Read + ?Sized), snapshot: &MoRef) -> Result<Object, Fault> {
    let config = state.at(snapshot, path!(VirtualMachineSnapshot, "config"));
    config.and_then(Value::as_object).cloned().ok_or_else(|| Fault::not_found(snapshot))
}

/// The configurations of all snapshots of a tree.
fn all_kept(state: &(impl Read + ?Sized), tree: &Tree) -> Result<Vec<(MoRef, Object)>, Fault> {
    let nodes = tree.nodes();
    let snapshots = nodes.iter().filter_map(snapshot_of);
    snapshots.map(|mo| Ok((mo.clone(), kept(state, mo)?))).collect()
}

/// Shows the tree under all of its names, with another configuration of the
/// machine if there is one; `unmerged` says that files could be merged.
fn write(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    tree: &Tree,
    config: Option<Object>,
    unmerged: Option<bool>,
) -> Result<(), Fault> {
    for node in tree.nodes() {
        let Some(snapshot) = snapshot_of(&node) else { continue };
        let below = super::snapshot_tree::children(&node);
        let below: Vec<&MoRef> = below.iter().filter_map(snapshot_of).collect();
        tx.set(snapshot, path!(VirtualMachineSnapshot, "childSnapshot"), below)?;
    }
    let roots: Vec<MoRef> = tree.roots.iter().filter_map(snapshot_of).cloned().collect();
    let now = tx.now();
    model::vm::change(tx, vm, now, |machine| {
        machine.set(const { ty::VirtualMachine.slot("snapshot") }, tree.shown());
        machine.set(const { ty::VirtualMachine.slot("rootSnapshot") }, roots);
        if let Some(config) = config {
            machine.set(const { ty::VirtualMachine.slot("config") }, config);
        }
        let slot = const { ty::VirtualMachine.slot("runtime") };
        let runtime = machine.get(slot).and_then(Value::as_object).cloned();
        if let (Some(runtime), Some(unmerged)) = (runtime, unmerged) {
            let flag = const { ty::VirtualMachineRuntimeInfo.slot("consolidationNeeded") };
            machine.set(slot, runtime.with(flag, unmerged));
        }
        Ok(())
    })
}

/// The snapshots of a machine follow its files to where they have moved.
pub(super) fn follow(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    before: &Object,
    after: &Object,
) -> Result<(), Fault> {
    let snapshots = all_kept(tx, &Tree::read(tx, vm))?;
    if snapshots.is_empty() {
        return Ok(());
    }
    let moves = disk_chain::moves(before, after);
    let slot = const { ty::VirtualMachineConfigInfo.slot("files") };
    for (snapshot, config) in snapshots {
        let config = disk_chain::followed(&config, &moves).with(slot, after.get(slot).cloned());
        tx.set(&snapshot, path!(VirtualMachineSnapshot, "config"), config)?;
    }
    Ok(())
}

#[derive(Clone, Debug)]
struct Create {
    vm: MoRef,
    name: String,
    description: String,
    memory: bool,
    quiesce: bool,
}

impl Create {
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        check_name(&self.name)?;
        let config = state::config(tx, &self.vm)?;
        if state::is_template(tx, &self.vm) {
            return Err(Fault::not_supported());
        }
        let tree = Tree::read(tx, &self.vm);
        if tree.current.as_ref().is_some_and(|current| tree.depth(current) >= DEEPEST) {
            return Err(Fault::of(
                ty::TooManySnapshotLevels,
                "The virtual machine has reached the maximum number of snapshot levels.",
            ));
        }
        let with_memory = self.memory && state::power(tx, &self.vm) == ON;
        if with_memory && disk_chain::has_independent(&config) {
            return Err(Fault::of(
                ty::MemorySnapshotOnIndependentDisk,
                "A snapshot with memory cannot be taken of a virtual machine with independent \
                 disks.",
            ));
        }
        Ok(())
    }
}

impl Job for Create {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        let (vm, now) = (&self.vm, tx.now());
        let (config, power) = (state::config(tx, vm)?, state::power(tx, vm));
        let mut tree = Tree::read(tx, vm);
        // A machine that runs comes back running only with its memory.
        let shown = if power == ON && !self.memory { OFF } else { power };
        let snapshot = tx.next_moref(ty::VirtualMachineSnapshot, "snapshot");
        let others = all_kept(tx, &tree)?;
        tx.insert(
            snapshot.clone(),
            object!(VirtualMachineSnapshot {
                vm: vm,
                config: &config,
                childSnapshot: Vec::<Value>::new(),
            }),
        );
        tree.add(object!(VirtualMachineSnapshotTree {
            snapshot: &snapshot,
            vm: vm,
            name: &self.name,
            description: &self.description,
            id: tree.next_id(),
            createTime: now,
            state: Value::Enum(shown),
            // A machine that does not run is quiet as it is, and one with its
            // memory does not have to be.
            quiesced: self.quiesce && power == ON && !self.memory,
            replaySupported: false,
        }));
        let grown = disk_chain::grown(&config, others.iter().map(|(_, config)| config));
        write(tx, vm, &tree, Some(grown), None)?;
        Ok(Some(snapshot.into()))
    }
}

#[derive(Clone, Debug)]
struct Revert {
    vm: MoRef,
    /// Nothing for the current one.
    to: Option<MoRef>,
    host: Option<MoRef>,
    /// Whether the machine stays off even if it ran.
    stay_off: bool,
}

impl Revert {
    /// The snapshot to go back to, and its node.
    fn target(&self, tx: &Tx<'_>) -> Result<(MoRef, Object), Fault> {
        if !tx.exists(&self.vm) {
            return Err(Fault::not_found(&self.vm));
        }
        let tree = Tree::read(tx, &self.vm);
        let snapshot = self.to.clone().or(tree.current.clone());
        let snapshot = snapshot.ok_or_else(|| {
            Fault::of(ty::NotFound, "The virtual machine does not have a current snapshot.")
        })?;
        let node = tree.find(&snapshot).ok_or_else(|| Fault::not_found(&snapshot))?;
        if self.power(&node) == ON {
            let host = self.host.clone().map_or_else(|| state::host(tx, &self.vm), Ok)?;
            placement::check_able(tx, &host)?;
        }
        Ok((snapshot, node))
    }

    fn power(&self, node: &Object) -> crate::value::EnumValue {
        match node.at(path!(VirtualMachineSnapshotTree, "state")) {
            Some(Value::Enum(power)) if *power != ON || !self.stay_off => *power,
            _ => OFF,
        }
    }
}

/// What stays as it is when a machine is reverted.
const OWN: [usize; 5] = [
    ty::VirtualMachineConfigInfo.slot("name"),
    ty::VirtualMachineConfigInfo.slot("uuid"),
    ty::VirtualMachineConfigInfo.slot("instanceUuid"),
    ty::VirtualMachineConfigInfo.slot("files"),
    ty::VirtualMachineConfigInfo.slot("template"),
];

impl Job for Revert {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.target(tx).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let (snapshot, node) = self.target(tx)?;
        let (vm, now) = (&self.vm, tx.now());
        let held = state::config(tx, vm)?;
        let mut tree = Tree::read(tx, vm);
        tree.current = Some(snapshot.clone());
        let others = all_kept(tx, &tree)?;
        let config = disk_chain::grown(&kept(tx, &snapshot)?, others.iter().map(|(_, it)| it));
        let mut next = config.edit();
        for slot in OWN {
            next.set(slot, held.get(slot).cloned());
        }
        super::spec::stamp(&mut next, &held, now);
        write(tx, vm, &tree, Some(next.finish()), None)?;
        let power = self.power(&node);
        let host = self.host.as_ref().filter(|_| power == ON);
        let before = state::power(tx, vm);
        model::vm::set_power(tx, vm, power, host, now)?;
        if power != before {
            events::post(tx, vm, super::power::arrived(power));
        }
        let name = node.at(path!(VirtualMachineSnapshotTree, "name")).and_then(Value::as_str);
        let name = name.unwrap_or_default();
        let id = node.at(path!(VirtualMachineSnapshotTree, "id")).and_then(Value::as_i32);
        let id = id.unwrap_or_default();
        let message = format!(
            "{} has been reverted to the state of snapshot {name}, with ID {id}",
            tx.text(vm, path!(VirtualMachine, "name")),
        );
        let arguments = [("snapshotName", name.into()), ("snapshotId", id.into())];
        events::post_extended(tx, vm, (REVERTED, "info"), &message, &arguments);
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, fault: &Fault) {
        let name = tx.text(&self.vm, path!(VirtualMachine, "name"));
        let message = format!("{name} could not be reverted to a snapshot: {}", fault.message());
        events::post_extended(tx, &self.vm, (NOT_REVERTED, "error"), &message, &[]);
    }
}

#[derive(Clone, Debug)]
struct Remove {
    vm: MoRef,
    /// Nothing for all.
    only: Option<MoRef>,
    with_all_below: bool,
    merge: bool,
}

impl Job for Remove {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.vm) {
            return Err(Fault::not_found(&self.vm));
        }
        match self.only.as_ref().filter(|only| !tx.exists(only)) {
            Some(gone) => Err(Fault::not_found(gone)),
            None => Ok(()),
        }
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        let mut tree = Tree::read(tx, &self.vm);
        let gone = match &self.only {
            Some(only) => tree.remove(only, self.with_all_below),
            None => {
                let nodes = std::mem::take(&mut tree).nodes();
                nodes.iter().filter_map(snapshot_of).cloned().collect()
            }
        };
        for snapshot in &gone {
            tx.remove(snapshot);
        }
        merge(tx, &self.vm, &tree, self.merge)?;
        Ok(None)
    }
}

/// Writes the tree, and merges the files that no snapshot of it needs; or
/// leaves them, and says so.
fn merge(tx: &mut Tx<'_>, vm: &MoRef, tree: &Tree, now: bool) -> Result<(), Fault> {
    let config = state::config(tx, vm)?;
    let (snapshots, kept): (Vec<MoRef>, Vec<Object>) = all_kept(tx, tree)?.into_iter().unzip();
    let (merged, kept_merged) = disk_chain::merged(&config, &kept);
    if !now {
        let pending = merged != config || kept_merged != kept;
        write(tx, vm, tree, None, Some(pending))?;
        if pending {
            let name = tx.text(vm, path!(VirtualMachine, "name"));
            let message = format!("The disks of {name} need consolidation");
            events::post_extended(tx, vm, (UNMERGED, "warning"), &message, &[]);
        }
        return Ok(());
    }
    for (snapshot, config) in snapshots.iter().zip(kept_merged) {
        tx.set(snapshot, path!(VirtualMachineSnapshot, "config"), config)?;
    }
    write(tx, vm, tree, Some(merged), Some(false))
}

#[derive(Clone, Debug)]
struct Consolidate {
    vm: MoRef,
}

impl Job for Consolidate {
    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let tree = Tree::read(tx, &self.vm);
        merge(tx, &self.vm, &tree, true)?;
        let name = tx.text(&self.vm, path!(VirtualMachine, "name"));
        let message = format!("The disks of {name} were consolidated");
        events::post_extended(tx, &self.vm, (MERGED, "info"), &message, &[]);
        Ok(None)
    }
}
