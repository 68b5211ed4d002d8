//! `CloneVApp_Task`: a vApp like another one, each machine by a task below.

use std::sync::Arc;

use super::lifecycle::{NewApp, insert};
use super::{folder, machines};
use crate::engine::{Job, Ready, TaskContext, TaskSpec, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::containment::above;
use crate::vsphere::model::Catalog;
use crate::vsphere::model::keys::children_called;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::vm::clone::Clone as CloneMachine;
use crate::vsphere::vm::power;
use crate::vsphere::{placement, removal, resource_pool};
use crate::{object, path};

pub(super) fn clone(service: &Service, call: &Call) -> Result<Operation, Fault> {
    let target = call.moref(arg!(CloneVApp_Task.target));
    let target = target.ok_or_else(|| Fault::invalid_argument("target"))?;
    let spec = call.required(arg!(CloneVApp_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let snapshot = service.engine().snapshot();
    let named = |path| spec.at(path).and_then(Value::as_moref);
    let datastore = named(path!(VAppCloneSpec, "location"));
    let host = named(path!(VAppCloneSpec, "host"));
    let asked = named(path!(VAppCloneSpec, "vmFolder"));
    let all = [Some(target), datastore, host, asked];
    if let Some(unknown) = all.into_iter().flatten().find(|mo| !snapshot.exists(mo)) {
        return Err(Fault::not_found(unknown));
    }
    outside(&*snapshot, &call.this, target)?;
    let owner = placement::owner(&*snapshot, target)?;
    if host.is_some_and(|host| placement::compute_of(&*snapshot, host).as_ref() != Some(&owner)) {
        return Err(Fault::invalid_argument("spec.host"));
    }
    let folder = match asked {
        Some(folder) => folder.clone(),
        None if target.ty().is_a(ty::VirtualApp) => folder(&*snapshot, target)?,
        None => folder(&*snapshot, &call.this)?,
    };
    let job = CloneApp {
        catalog: service.catalog().clone(),
        source: call.this.clone(),
        name: call.text(arg!(CloneVApp_Task.name)).to_owned(),
        target: target.clone(),
        folder,
        location: object!(VirtualMachineRelocateSpec { datastore: datastore, host: host }),
        host: host.cloned(),
        resources: spec
            .at(path!(VAppCloneSpec, "resourceSpec"))
            .and_then(Value::as_object)
            .cloned(),
        clone: service.task_spec(call, ty::VirtualMachine, method::CloneVM_Task),
        start: power::start(service, call),
        made: Vec::new(),
    };
    Ok(Operation::new(job).cancelable())
}

/// A vApp has no place inside itself: its copy would never be whole.
fn outside(state: &dyn Read, app: &MoRef, target: &MoRef) -> Result<(), Fault> {
    let inside = app == target || above(state, target).contains(app);
    if inside { Err(Fault::invalid_argument("target")) } else { Ok(()) }
}

#[derive(Clone, Debug)]
struct CloneApp {
    catalog: Arc<Catalog>,
    source: MoRef,
    name: String,
    target: MoRef,
    folder: MoRef,
    location: Object,
    host: Option<MoRef>,
    resources: Option<Object>,
    /// What the task of each machine looks like.
    clone: TaskSpec,
    start: TaskSpec,
    /// The vApps and pools that were copied, with their copies; the vApp itself
    /// is the first.
    made: Vec<(MoRef, MoRef)>,
}

impl CloneApp {
    /// Copies the pools and vApps below `source`, which is copied by `to`.
    fn copy_below(&mut self, tx: &mut Tx<'_>, source: &MoRef, to: &MoRef) -> Result<(), Fault> {
        for below in tx.morefs(source, path!(ResourcePool, "resourcePool")) {
            let name = tx.text(&below, path!(ManagedEntity, "name")).to_owned();
            let config = tx.at(&below, path!(ResourcePool, "config")).and_then(Value::as_object);
            // A new pool has no version that somebody could have read.
            let version = const { ty::ResourceConfigSpec.slot("changeVersion") };
            let config = config.map(|config| config.with(version, None::<Value>));
            let config = config.ok_or_else(|| Fault::not_found(&below))?;
            let copy = if below.ty().is_a(ty::VirtualApp) {
                let new =
                    NewApp { parent: to, folder: None, name: &name, resources: Some(&config) };
                insert(tx, &new)?
            } else {
                resource_pool::insert(tx, to, &name, &config)?
            };
            self.made.push((below.clone(), copy.clone()));
            self.copy_below(tx, &below, &copy)?;
        }
        Ok(())
    }

    /// What a vApp says of itself and its members holds for the copies;
    /// `copies` says which those are.
    fn copy_config(
        tx: &mut Tx<'_>,
        (source, app): (&MoRef, &MoRef),
        copies: &[(MoRef, MoRef)],
    ) -> Result<(), Fault> {
        let config = tx.at(source, path!(VirtualApp, "vAppConfig")).and_then(Value::as_object);
        let Some(config) = config.cloned() else { return Err(Fault::not_found(source)) };
        let copy = |entry: &Value| {
            let entry = entry.as_object()?;
            let member = entry.field("key")?.as_moref()?;
            let (_, copy) = copies.iter().find(|(source, _)| source == member)?;
            Some(entry.with(const { ty::VAppEntityConfigInfo.slot("key") }, copy).into())
        };
        let entries = config.field("entityConfig").map_or(&[][..], Value::items);
        let entries: Vec<Value> = entries.iter().filter_map(copy).collect();
        let own = tx.at(app, path!(VirtualApp, "vAppConfig.instanceUuid")).cloned();
        let mut next = config.edit();
        next.set(
            const { ty::VAppConfigInfo.slot("entityConfig") },
            Array::new(ty::VAppEntityConfigInfo, entries),
        );
        next.set(const { ty::VAppConfigInfo.slot("instanceUuid") }, own);
        tx.set(app, path!(VirtualApp, "vAppConfig"), next.finish())
    }

    /// What the copy of a machine is called: as the machine where that is
    /// free, since machines of a vApp stand in a folder here.
    fn name_of(&self, tx: &Tx<'_>, vm: &MoRef) -> String {
        let name = tx.text(vm, path!(VirtualMachine, "name"));
        let taken = !children_called(tx, &self.folder, name).is_empty();
        if taken { format!("{}-{name}", self.name) } else { name.to_owned() }
    }
}

impl Job for CloneApp {
    fn begin(&mut self, tx: &mut Tx<'_>, task: &TaskContext<'_>) -> Result<(), Fault> {
        if !tx.exists(&self.source) {
            return Err(Fault::not_found(&self.source));
        }
        // It may have been moved since the call.
        outside(tx, &self.source, &self.target)?;
        let nested = self.target.ty().is_a(ty::VirtualApp);
        let app = insert(
            tx,
            &NewApp {
                parent: &self.target,
                folder: Some(&self.folder).filter(|_| !nested),
                name: &self.name,
                resources: self.resources.as_ref(),
            },
        )?;
        self.made.push((self.source.clone(), app.clone()));
        self.copy_below(tx, &self.source.clone(), &app)?;
        let slot = const { ty::VirtualMachineRelocateSpec.slot("pool") };
        for vm in machines(tx, &self.source) {
            let held = tx.moref(&vm, path!(VirtualMachine, "resourcePool"));
            let pool = self.made.iter().find(|(source, _)| Some(source) == held);
            let pool = pool.map_or(&app, |(_, copy)| copy).clone();
            let spec = object!(VirtualMachineCloneSpec {
                location: self.location.with(slot, &pool),
                template: false,
                powerOn: false,
            });
            let mut below = self.clone.clone();
            below.entity = Some(vm.clone());
            below.parent = Some(task.id);
            below.cancelable = true;
            let job = CloneMachine {
                catalog: self.catalog.clone(),
                name: self.name_of(tx, &vm),
                source: vm,
                folder: self.folder.clone(),
                pool,
                host: self.host.clone(),
                spec,
                start: self.start.clone(),
                instant: false,
            };
            tx.submit(below, Box::new(job))?;
        }
        Ok(())
    }

    fn ready(&self, _: &dyn Read, _: &TaskContext<'_>) -> Ready {
        Ready::Children
    }

    fn complete(
        &mut self,
        tx: &mut Tx<'_>,
        task: &TaskContext<'_>,
    ) -> Result<Option<Value>, Fault> {
        let app = self.made.first().map(|(_, app)| app.clone()).ok_or_else(Fault::invalid_state)?;
        let children: Vec<_> = tx.tasks().children(task.id).cloned().collect();
        if let Some(fault) = children.iter().find_map(|child| child.status().error().cloned()) {
            return Err(fault);
        }
        let mut copies = self.made.clone();
        copies.extend(children.iter().filter_map(|child| {
            Some((child.entity.clone()?, child.status().result()?.as_moref()?.clone()))
        }));
        for (source, app) in self.made.iter().filter(|(source, _)| source.ty().is_a(ty::VirtualApp))
        {
            Self::copy_config(tx, (source, app), &copies)?;
        }
        Ok(Some(app.into()))
    }

    fn undo(&mut self, tx: &mut Tx<'_>) {
        let made = std::mem::take(&mut self.made);
        if let Some((_, app)) = made.first()
            && let Err(fault) = removal::destroy(tx, app)
        {
            tracing::debug!(%fault, "the copy of a vApp was gone already");
        }
    }
}
