//! Machines that go to another host or datastore.

use super::{argument, post};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object};
use crate::vsphere::vm::state;
use crate::{object, vsphere::placement};

/// How a machine moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vsphere) enum Way {
    /// It changes its host and keeps its files where they are.
    Migration,
    /// The same, because DRS has it so.
    ByDrs,
    /// Its files go elsewhere.
    Relocation,
}

/// A place: a host, its datacenter, and the datastore of the files.
struct Place {
    host: Option<Object>,
    datacenter: Option<Object>,
    datastore: Option<Object>,
}

impl Place {
    fn new(tx: &Tx<'_>, host: &MoRef, datastore: Option<&MoRef>) -> Self {
        let datacenter = placement::datacenter(tx, host);
        Self {
            host: argument(tx, host),
            datacenter: datacenter.and_then(|datacenter| argument(tx, &datacenter)),
            datastore: datastore.and_then(|datastore| argument(tx, datastore)),
        }
    }
}

/// The datastore that holds the files of a machine; the first of several.
fn datastore(tx: &Tx<'_>, vm: &MoRef) -> Option<MoRef> {
    tx.morefs(vm, path!(VirtualMachine, "datastore")).into_iter().next()
}

/// A machine is on its way to a host, its files to a datastore if they move.
pub(in crate::vsphere) fn begun(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    way: Way,
    host: &MoRef,
    files: Option<&MoRef>,
) {
    let Place { host, datacenter, datastore } = Place::new(tx, host, files);
    let event = if way == Way::Relocation {
        object!(VmBeingRelocatedEvent {
            destHost: host,
            destDatacenter: datacenter,
            destDatastore: datastore,
        })
    } else if state::power(tx, vm) == state::ON {
        object!(VmBeingHotMigratedEvent {
            destHost: host,
            destDatacenter: datacenter,
            destDatastore: datastore,
        })
    } else {
        object!(VmBeingMigratedEvent {
            destHost: host,
            destDatacenter: datacenter,
            destDatastore: datastore,
        })
    };
    post(tx, vm, event);
}

/// Where a machine was before it moved.
pub(in crate::vsphere) struct Origin(Place);

impl Origin {
    /// Where it is now.
    pub(in crate::vsphere) fn of(tx: &Tx<'_>, vm: &MoRef) -> Result<Self, Fault> {
        let host = state::host(tx, vm)?;
        Ok(Self(Place::new(tx, &host, datastore(tx, vm).as_ref())))
    }
}

/// A machine has come from somewhere else to where it is now.
pub(in crate::vsphere) fn done(tx: &mut Tx<'_>, vm: &MoRef, way: Way, from: Origin) {
    let Place { host, datacenter, datastore } = from.0;
    let mut event = crate::value::ObjectBuilder::new(match way {
        Way::Migration => ty::VmMigratedEvent,
        Way::ByDrs => ty::DrsVmMigratedEvent,
        Way::Relocation => ty::VmRelocatedEvent,
    });
    for (name, value) in
        [("sourceHost", host), ("sourceDatacenter", datacenter), ("sourceDatastore", datastore)]
    {
        if let Some((slot, _)) = event.ty().field(name) {
            event.set(slot, value);
        }
    }
    post(tx, vm, event.finish());
}

/// A machine stays where it is, although it was to go to a host; nothing: the
/// host was not chosen.
pub(in crate::vsphere) fn failed(
    tx: &mut Tx<'_>,
    vm: &MoRef,
    way: Way,
    host: Option<&MoRef>,
    fault: &Fault,
) {
    let Some(host) = host.cloned().or_else(|| state::host(tx, vm).ok()) else { return };
    let Place { host, datacenter, .. } = Place::new(tx, &host, None);
    let reason = fault.localized();
    let event = if way == Way::Relocation {
        object!(VmRelocateFailedEvent {
            destHost: host,
            destDatacenter: datacenter,
            reason: reason
        })
    } else {
        object!(VmFailedMigrateEvent { destHost: host, destDatacenter: datacenter, reason: reason })
    };
    post(tx, vm, event);
}
