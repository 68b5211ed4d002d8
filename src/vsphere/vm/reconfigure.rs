//! `ReconfigVM_Task`: another configuration for a machine.

use super::devices::Machine;
use super::seats::{at, text};
use super::{disks, spec, state};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::datastore_path::DatastorePath;
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::managed_entity;
use crate::vsphere::model;
use crate::vsphere::model::device::devices;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::VirtualMachine, method::ReconfigVM_Task, Handler::Task(reconfigure))];

fn reconfigure(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(ReconfigVM_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    spec::check(service.catalog(), spec)?;
    Ok(Operation::new(Reconfigure { vm: call.this.clone(), spec: spec.clone() }))
}

#[derive(Clone, Debug)]
struct Reconfigure {
    vm: MoRef,
    spec: Object,
}

impl Job for Reconfigure {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        // Everything is tried out, so that what cannot work fails at once and
        // not after the time that it takes.
        next_name(tx, &self.vm, &self.spec)?;
        next_config(tx, &self.vm, &self.spec).map(drop)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let (name, now) = (next_name(tx, &self.vm, &self.spec)?, tx.now());
        let config = next_config(tx, &self.vm, &self.spec)?;
        let before = state::config(tx, &self.vm)?;
        let host = state::host(tx, &self.vm)?;
        let changes = at(&self.spec, path!(VirtualMachineConfigSpec, "deviceChange"));
        let changes = changes.map_or(&[][..], Value::items);
        disks::account(tx, &host, devices(&before), devices(&config), changes);
        tx.set(&self.vm, path!(VirtualMachine, "config"), config)?;
        match name {
            Some(name) => model::rename(tx, &self.vm, &name, now)?,
            None => model::vm::refresh(tx, &self.vm, now)?,
        }
        events::life::reconfigured(tx, &self.vm, &before, &self.spec);
        Ok(None)
    }
}

/// The name that the specification asks for, if it is another one.
fn next_name(tx: &Tx<'_>, vm: &MoRef, spec: &Object) -> Result<Option<String>, Fault> {
    let asked = text(spec, path!(VirtualMachineConfigSpec, "name"));
    if asked.is_empty() || asked == tx.text(vm, path!(VirtualMachine, "name")) {
        return Ok(None);
    }
    managed_entity::free_name(tx, vm, asked).map(Some)
}

fn next_config(tx: &mut Tx<'_>, vm: &MoRef, spec: &Object) -> Result<Object, Fault> {
    let (config, now) = (state::config(tx, vm)?, tx.now());
    let machine = machine(tx, vm)?;
    spec::apply(tx, &machine, &config, spec, now)
}

/// What the devices of a machine depend on.
pub(super) fn machine(state: &(impl Read + ?Sized), vm: &MoRef) -> Result<Machine, Fault> {
    let home = state.text(vm, path!(VirtualMachine, "config.files.vmPathName"));
    Ok(Machine {
        host: state::host(state, vm)?,
        home: DatastorePath::parse(home)?,
        powered_on: state::power(state, vm) == state::ON,
    })
}
