//! vApps coming and going: `CreateVApp`, `CreateChildVM_Task`,
//! `unregisterVApp_Task`. `Destroy_Task` is that of every entity.

use super::{config, folder, machines, set_state};
use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::schema::ty;
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::Answer;
use crate::vsphere::events;
use crate::vsphere::folder::require_kind;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::vm::{create as machine, registration};
use crate::vsphere::{model, names, placement, removal, resource_pool};
use crate::{object, path};

/// A vApp to be made.
pub(super) struct NewApp<'a> {
    /// The pool or vApp that it stands in.
    pub(super) parent: &'a MoRef,
    /// Its folder; nothing for a nested one.
    pub(super) folder: Option<&'a MoRef>,
    /// Its name.
    pub(super) name: &'a str,
    /// What it may use, where that is not all there is.
    pub(super) resources: Option<&'a Object>,
}

pub(super) fn create(service: &Service, call: &Call) -> Answer {
    let object = |slot, name| {
        let found = call.required(slot)?.as_object();
        found.ok_or_else(|| Fault::invalid_argument(name))
    };
    let resources = object(arg!(CreateVApp.resSpec), "resSpec")?;
    let spec = object(arg!(CreateVApp.configSpec), "configSpec")?;
    let folder = call.moref(arg!(CreateVApp.vmFolder));
    let new = NewApp {
        parent: &call.this,
        folder,
        name: call.text(arg!(CreateVApp.name)),
        resources: Some(resources),
    };
    let made = service.commit(call, |tx| {
        let app = insert(tx, &new)?;
        config::apply(tx, &app, spec)?;
        Ok(app)
    })?;
    Ok(Some(made.into()))
}

/// Adds a vApp without members, stopped.
pub(super) fn insert(tx: &mut Tx<'_>, new: &NewApp<'_>) -> Result<MoRef, Fault> {
    let parent = new.parent;
    let nested = parent.ty().is_a(ty::VirtualApp);
    let owner = placement::owner(tx, parent)?;
    let name = names::stored(new.name, None)?;
    names::check_free(tx, parent, ty::ResourcePool, &name, None)?;
    match new.folder {
        // A nested vApp stands where the one around it does.
        Some(_) if nested => return Err(Fault::invalid_argument("vmFolder")),
        None if !nested => return Err(Fault::invalid_argument("vmFolder")),
        None => {}
        Some(folder) => {
            require_kind(tx, folder, FolderKind::Vm)?;
            if placement::datacenter(tx, folder) != placement::datacenter(tx, &owner) {
                return Err(Fault::invalid_argument("vmFolder"));
            }
            names::check_free(tx, folder, ty::ManagedEntity, &name, None)?;
        }
    }
    let (number, now) = (tx.next_number(), tx.now());
    let app = MoRef::new(ty::VirtualApp, &format!("resgroup-v{number}"));
    let pool = model::pool::NewPool { mo: &app, name: &name, parent, owner: &owner, now };
    let properties = model::pool::resource_pool(&pool, resource_pool::capacity(tx, parent));
    tx.insert(app.clone(), properties);
    if let Some(resources) = new.resources {
        resource_pool::configure(tx, &app, resources, now)?;
    }
    set_state(tx, &app, "stopped", false)?;
    tx.push_ref(parent, path!(ResourcePool, "resourcePool"), &app)?;
    if let Some(folder) = new.folder {
        tx.set(&app, path!(VirtualApp, "parentFolder"), folder)?;
        tx.push_ref(folder, path!(Folder, "childEntity"), &app)?;
    }
    let (pool, into) = (events::argument(tx, &app), events::argument(tx, parent));
    events::post(tx, &app, object!(ResourcePoolCreatedEvent { resourcePool: pool, parent: into }));
    Ok(app)
}

/// A machine right in a vApp. Other pools have no folder to put it into.
pub(super) fn create_machine(service: &Service, call: &Call) -> Result<Operation, Fault> {
    if !call.this.ty().is_a(ty::VirtualApp) {
        return Err(Fault::not_supported());
    }
    let spec = call.required(arg!(CreateChildVM_Task.config))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("config"))?;
    let folder = folder(&*service.engine().snapshot(), &call.this)?;
    let host = call.moref(arg!(CreateChildVM_Task.host));
    machine::operation(service, &folder, &call.this, host, spec)
}

pub(super) fn unregister(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let held = machines(&*service.engine().snapshot(), &call.this);
    Ok(Operation::new(Unregister { app: call.this.clone() }).locking(held))
}

/// Takes a vApp and its machines out of the inventory; their files stay.
#[derive(Clone, Debug)]
struct Unregister {
    app: MoRef,
}

impl Job for Unregister {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        removal::check(tx, &self.app)
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        removal::check(tx, &self.app)?;
        for vm in machines(tx, &self.app) {
            registration::leave(tx, &vm)?;
        }
        removal::destroy(tx, &self.app)?;
        Ok(None)
    }
}
