//! Machines that change their host.

use super::registry;
use super::state;
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::value::{MoRef, Value};
use crate::vsphere::placement;

/// Takes a machine to another host of the same compute resource; it keeps its
/// pool, its files and its power state.
#[derive(Debug)]
pub(in crate::vsphere) struct Migrate {
    /// The machine.
    pub(in crate::vsphere) vm: MoRef,
    /// Where it goes.
    pub(in crate::vsphere) host: MoRef,
}

impl Migrate {
    fn check(&self, tx: &Tx<'_>) -> Result<(), Fault> {
        let now = state::host(tx, &self.vm)?;
        if placement::compute_of(tx, &now) != placement::compute_of(tx, &self.host) {
            return Err(Fault::invalid_argument("host"));
        }
        let datastores = tx.morefs(&self.vm, path!(VirtualMachine, "datastore"));
        let networks = tx.morefs(&self.vm, path!(VirtualMachine, "network"));
        placement::choose(tx, std::slice::from_ref(&self.host), &datastores, &networks).map(drop)
    }
}

impl Job for Migrate {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        self.check(tx)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        self.check(tx)?;
        registry::move_to_host(tx, &self.vm, &self.host)?;
        Ok(None)
    }
}
