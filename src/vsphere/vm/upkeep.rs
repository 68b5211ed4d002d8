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
use crate::vsphere::model::{device, environment};
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::VirtualMachine, method::UpgradeVM_Task, Handler::Task(upgrade)),
    (ty::VirtualMachine, method::MountToolsInstaller, Handler::Now(mount_tools)),
    (ty::VirtualMachine, method::UnmountToolsInstaller, Handler::Now(unmount_tools)),
    (ty::VirtualMachine, method::UpgradeTools_Task, Handler::Task(upgrade_tools)),
    (ty::VirtualMachine, method::RefreshStorageInfo, Handler::Now(refresh)),
    (ty::VirtualMachine, method::DefragmentAllDisks, Handler::Now(defragment)),
    (ty::VirtualMachine, method::ResetGuestInformation, Handler::Now(reset_guest)),
    (ty::VirtualMachine, method::PromoteDisks_Task, Handler::Task(promote)),
    (ty::VirtualMachine, method::AcquireTicket, Handler::Now(ticket)),
    (ty::VirtualMachine, method::AcquireMksTicket, Handler::Now(mks_ticket)),
];

/// The numbers are always up to date here.
fn refresh(_: &Service, _: &Call) -> Answer {
    Ok(None)
}

/// Disks are as good as they can be; only the state of the machine counts.
fn defragment(service: &Service, call: &Call) -> Answer {
    state::refuse_running(&*service.engine().snapshot(), &call.this)?;
    Ok(None)
}

/// A guest that does not run forgets what it has said; one that runs says it anew.
fn reset_guest(service: &Service, call: &Call) -> Answer {
    service.commit(call, |tx| {
        state::refuse_running(tx, &call.this)?;
        tx.set(&call.this, path!(VirtualMachine, "guest.hostName"), None::<Value>)?;
        let now = tx.now();
        model::vm::refresh(tx, &call.this, now)
    })?;
    Ok(None)
}

fn upgrade_tools(_: &Service, call: &Call) -> Result<Operation, Fault> {
    Ok(Operation::new(UpgradeTools { vm: call.this.clone() }))
}

/// The newest tools in a guest. All guests have them already, so this only
/// takes its time.
#[derive(Clone, Debug)]
struct UpgradeTools {
    vm: MoRef,
}

impl Job for UpgradeTools {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        state::require_power(tx, &self.vm, ON)?;
        if super::power::has_tools(tx, &self.vm) {
            return Ok(());
        }
        Err(Fault::of(ty::ToolsUnavailable, "VMware Tools does not run in the virtual machine."))
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        Ok(None)
    }
}

fn promote(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let disks = call.get(arg!(PromoteDisks_Task.disks)).map_or(&[][..], Value::items);
    let disks = disks.iter().filter_map(Value::as_object).map(device::key).collect();
    let unlink = call.flag(arg!(PromoteDisks_Task.unlink));
    Ok(Operation::new(Promote { vm: call.this.clone(), unlink, disks }))
}

/// Disks no longer depend on those that they were cloned from.
#[derive(Clone, Debug)]
struct Promote {
    vm: MoRef,
    /// Whether the disks get a copy of their own; if not, only what several
    /// machines share is copied, which nobody can see.
    unlink: bool,
    /// The keys of the disks; none for all.
    disks: Vec<i32>,
}

impl Job for Promote {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        let config = state::config(tx, &self.vm)?;
        let there: Vec<i32> = device::of_type(&config, ty::VirtualDisk).map(device::key).collect();
        match self.disks.iter().all(|disk| there.contains(disk)) {
            true => Ok(()),
            false => Err(Fault::invalid_argument("disks")),
        }
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        self.begin(tx, task)?;
        if !self.unlink {
            return Ok(None);
        }
        let now = tx.now();
        let config = state::config(tx, &self.vm)?;
        let promoted = |value: &Value| {
            let disk = value.as_object().filter(|it| it.ty().is_a(ty::VirtualDisk));
            let disk =
                disk.filter(|it| self.disks.is_empty() || self.disks.contains(&device::key(it)))?;
            let slot = const { ty::VirtualDevice.slot("backing") };
            let backing = disk.get(slot).and_then(Value::as_object)?;
            let (parent, _) = backing.ty().field("parent")?;
            Some(disk.with(slot, backing.with(parent, None::<Value>)).into())
        };
        let devices: Vec<Value> = device::devices(&config)
            .iter()
            .map(|device| promoted(device).unwrap_or_else(|| device.clone()))
            .collect();
        let path = path!(VirtualMachine, "config.hardware.device");
        tx.set(&self.vm, path, devices)?;
        model::vm::refresh(tx, &self.vm, now)?;
        Ok(None)
    }
}

/// The kinds of tickets, which is also what their URLs are for.
const TICKETS: [&str; 6] =
    ["mks", "device", "guestControl", "webmks", "guestIntegrity", "webRemoteDevice"];

/// A ticket for the console of a machine that runs. Nobody listens at the other
/// end, but whoever asks can show an address.
fn ticket(service: &Service, call: &Call) -> Answer {
    let kind = call.text(arg!(AcquireTicket.ticketType));
    if !TICKETS.contains(&kind) {
        return Err(Fault::invalid_argument("ticketType"));
    }
    let (number, file, host) = acquire(service, call, kind)?;
    let url = format!("wss://{host}:443/ticket/{number}");
    let ticket = object!(VirtualMachineTicket {
        ticket: number,
        cfgFile: file,
        host: host,
        port: 443,
        url: url,
    });
    Ok(Some(ticket.into()))
}

fn mks_ticket(service: &Service, call: &Call) -> Answer {
    let (number, file, host) = acquire(service, call, "mks")?;
    let ticket =
        object!(VirtualMachineMksTicket { ticket: number, cfgFile: file, host: host, port: 902 });
    Ok(Some(ticket.into()))
}

/// A new ticket, the machine's file, and the host that it is for.
fn acquire(service: &Service, call: &Call, kind: &str) -> Result<(String, String, String), Fault> {
    let vm = &call.this;
    service.commit(call, |tx| {
        state::require_power(tx, vm, ON)?;
        let number = tx.ids().uuid().simple().to_string();
        let file = tx.text(vm, path!(VirtualMachine, "config.files.vmPathName")).to_owned();
        let host = state::host(tx, vm)?;
        let host = tx.text(&host, path!(HostSystem, "name")).to_owned();
        events::post(tx, vm, object!(VmAcquiredTicketEvent { ticketType: kind }));
        Ok((number, file, host))
    })
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
#[derive(Clone, Debug)]
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
