//! Whether a host and its server are in touch: disconnecting, connecting
//! again, restarts and shutdowns.

use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::vm::state;
use crate::vsphere::{model, placement};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::HostSystem, method::DisconnectHost_Task, Handler::Task(disconnect)),
    (ty::HostSystem, method::ReconnectHost_Task, Handler::Task(reconnect)),
    (ty::HostSystem, method::RebootHost_Task, Handler::Task(reboot)),
    (ty::HostSystem, method::ShutdownHost_Task, Handler::Task(shut_down)),
];

const CONNECTED: &str = "connected";

fn disconnect(service: &Service, call: &Call) -> Result<Operation, Fault> {
    from_server(service)?;
    Ok(Operation::new(Disconnect { host: call.this.clone() }))
}

fn reconnect(service: &Service, call: &Call) -> Result<Operation, Fault> {
    from_server(service)?;
    Ok(Operation::new(Reconnect { host: call.this.clone() }))
}

fn reboot(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let force = call.flag(arg!(RebootHost_Task.force));
    Ok(Operation::new(Halt { host: call.this.clone(), force, stays_off: false }))
}

/// A host by itself would take the simulator with it.
fn shut_down(service: &Service, call: &Call) -> Result<Operation, Fault> {
    from_server(service)?;
    let force = call.flag(arg!(ShutdownHost_Task.force));
    Ok(Operation::new(Halt { host: call.this.clone(), force, stays_off: true }))
}

/// Only a vCenter connects hosts.
fn from_server(service: &Service) -> Result<(), Fault> {
    if service.catalog().is_esx() { Err(Fault::not_supported()) } else { Ok(()) }
}

fn connection<'s>(state: &'s (impl Read + ?Sized), host: &MoRef) -> &'s str {
    state.text(host, path!(HostSystem, "runtime.connectionState"))
}

#[derive(Clone, Debug)]
struct Disconnect {
    host: MoRef,
}

impl Job for Disconnect {
    fn begin(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        Ok(())
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        set_connection(tx, &self.host, "disconnected")?;
        events::post(tx, &self.host, object!(HostDisconnectedEvent { reason: "userRequest" }));
        Ok(None)
    }
}

/// A host that was shut down comes back by this, too: here is nobody else who
/// could switch it on.
#[derive(Clone, Debug)]
struct Reconnect {
    host: MoRef,
}

impl Reconnect {
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if connection(tx, &self.host) == CONNECTED { Err(Fault::invalid_state()) } else { Ok(()) }
    }
}

impl Job for Reconnect {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        set_connection(tx, &self.host, CONNECTED)?;
        events::post(tx, &self.host, object!(HostConnectedEvent {}));
        Ok(None)
    }

    fn stopped(&self, tx: &mut Tx<'_>, _: &Fault) {
        events::post(tx, &self.host, object!(HostReconnectionFailedEvent {}));
    }
}

/// A restart or a shutdown. Machines that run on the host stop.
#[derive(Clone, Debug)]
struct Halt {
    host: MoRef,
    force: bool,
    stays_off: bool,
}

impl Halt {
    /// Without force only a host in maintenance goes down.
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        if connection(tx, &self.host) != CONNECTED {
            return Err(not_connected());
        }
        let idle = tx.at(&self.host, path!(HostSystem, "runtime.inMaintenanceMode"));
        let idle = idle.and_then(Value::as_bool) == Some(true);
        if idle || self.force { Ok(()) } else { Err(Fault::invalid_state()) }
    }
}

impl Job for Halt {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        let now = tx.now();
        for vm in tx.morefs(&self.host, path!(HostSystem, "vm")) {
            if state::power(tx, &vm) == state::ON {
                model::vm::set_power(tx, &vm, state::OFF, None, now)?;
                events::post(tx, &vm, object!(VmPoweredOffEvent {}));
            }
        }
        tx.set(&self.host, path!(HostSystem, "runtime.bootTime"), now)?;
        let next = if self.stays_off { "notResponding" } else { CONNECTED };
        let reason = if self.stays_off { "shutdown" } else { "reboot" };
        events::post(tx, &self.host, object!(HostShutdownEvent { reason: reason }));
        set_connection(tx, &self.host, next)?;
        let after = if self.stays_off {
            object!(HostConnectionLostEvent {})
        } else {
            object!(HostConnectedEvent {})
        };
        events::post(tx, &self.host, after);
        Ok(None)
    }
}

fn not_connected() -> Fault {
    Fault::of(
        ty::HostNotConnected,
        "Unable to communicate with the remote host, since it is disconnected.",
    )
}

/// The state of the connection, with what else is not known without one: the
/// host's power, and whether its machines can be reached.
pub(super) fn set_connection(tx: &mut Tx<'_>, host: &MoRef, to: &str) -> Result<(), Fault> {
    let now = tx.now();
    let power = if to == CONNECTED { "poweredOn" } else { "unknown" };
    tx.set(host, path!(HostSystem, "runtime.connectionState"), to)?;
    tx.set(host, path!(HostSystem, "runtime.powerState"), power)?;
    let machines = if to == "notResponding" { "disconnected" } else { to };
    for vm in tx.morefs(host, path!(HostSystem, "vm")) {
        tx.set(&vm, path!(VirtualMachine, "runtime.connectionState"), machines)?;
        model::vm::refresh(tx, &vm, now)?;
    }
    model::host::refresh(tx, host)?;
    match placement::compute_of(tx, host) {
        Some(compute) => model::compute::refresh(tx, &compute),
        None => Ok(()),
    }
}
