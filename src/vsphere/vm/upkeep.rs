//! Small things that machines are asked to do: tools, hardware versions,
//! numbers that are to be read anew.

use super::state::{self, OFF, ON};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::model;
use crate::vsphere::model::environment;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::UpgradeVM_Task, Handler::Task(upgrade)),
    (ty::VirtualMachine, method::MountToolsInstaller, Handler::Now(mount_tools)),
    (ty::VirtualMachine, method::UnmountToolsInstaller, Handler::Now(unmount_tools)),
    (ty::VirtualMachine, method::RefreshStorageInfo, Handler::Now(refresh)),
];

/// The numbers are always up to date here.
fn refresh(_: &Service, _: &Call) -> Answer {
    Ok(None)
}

fn mount_tools(service: &Service, call: &Call) -> Answer {
    set_installer(service, &call.this, true)
}

fn unmount_tools(service: &Service, call: &Call) -> Answer {
    set_installer(service, &call.this, false)
}

fn set_installer(service: &Service, vm: &MoRef, mounted: bool) -> Answer {
    service.engine().commit(|tx| {
        state::require_power(tx, vm, ON)?;
        let now = tx.now();
        tx.set(vm, path!(VirtualMachine, "runtime.toolsInstallerMounted"), mounted)?;
        model::vm::refresh(tx, vm, now)
    })?;
    Ok(None)
}

fn upgrade(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let asked = call.text(arg!(UpgradeVM_Task.version));
    let newest = service.catalog().release().hardware_version();
    let version = if asked.is_empty() { newest } else { asked };
    if !environment::supports(service.catalog(), version) {
        return Err(Fault::invalid_argument("version"));
    }
    Ok(Operation::new(Upgrade { vm: call.this.clone(), version: version.to_owned() }))
}

/// Gives a machine a newer hardware version.
#[derive(Debug)]
struct Upgrade {
    vm: MoRef,
    version: String,
}

/// The number in a hardware version.
fn number(version: &str) -> u32 {
    let number = version.strip_prefix("vmx-").and_then(|number| number.parse().ok());
    number.unwrap_or_default()
}

impl Job for Upgrade {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        state::require_power(tx, &self.vm, OFF)?;
        if state::is_template(tx, &self.vm) {
            return Err(Fault::invalid_state());
        }
        let held = tx.text(&self.vm, path!(VirtualMachine, "config.version"));
        if number(held) >= number(&self.version) {
            return Err(Fault::new(
                object!(AlreadyUpgraded {}),
                "The virtual machine is already at this or a newer hardware version.",
            ));
        }
        events::post(tx, &self.vm, object!(VmUpgradingEvent { version: &self.version }));
        Ok(())
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        let now = tx.now();
        let config = state::config(tx, &self.vm)?;
        let slot = const { ty::VirtualMachineConfigInfo.slot("version") };
        let mut next = config.with(slot, self.version.as_str()).edit();
        super::spec::stamp(&mut next, &config, now);
        tx.set(&self.vm, path!(VirtualMachine, "config"), next.finish())?;
        model::vm::refresh(tx, &self.vm, now)?;
        events::post(tx, &self.vm, object!(VmUpgradeCompleteEvent { version: &self.version }));
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, _: &Fault) {
        events::post(tx, &self.vm, object!(VmUpgradeFailedEvent {}));
    }
}
