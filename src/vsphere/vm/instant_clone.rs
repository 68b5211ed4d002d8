//! `InstantClone_Task`: a running machine from a running one, on child disks.

use super::create::check_place;
use super::seats::{at, text};
use super::{clone, power};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::folder::require_kind;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::VirtualMachine, method::InstantClone_Task, Handler::Task(instant_clone))];

/// The same work as of another clone, with what an instant one always is.
fn instant_clone(service: &Service, call: &Call) -> Result<Operation, Fault> {
    service.require_vcenter()?;
    let spec = call.required(arg!(InstantClone_Task.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let location = at(spec, path!(VirtualMachineInstantCloneSpec, "location"));
    let location = location.and_then(Value::as_object);
    let location = location.ok_or_else(|| Fault::invalid_argument("spec.location"))?;
    let snapshot = service.engine().snapshot();
    let named = |field: &str| location.field(field).and_then(Value::as_moref);
    let own = |path| snapshot.moref(&call.this, path);
    let all = ["folder", "pool", "host", "datastore"].into_iter().filter_map(named);
    if let Some(unknown) = all.into_iter().find(|mo| !snapshot.exists(mo)) {
        return Err(Fault::not_found(unknown));
    }
    let folder = named("folder").or(own(path!(VirtualMachine, "parent")));
    let folder = folder.ok_or_else(|| Fault::invalid_argument("spec.location.folder"))?;
    let pool = named("pool").or(own(path!(VirtualMachine, "resourcePool")));
    let pool = pool.ok_or_else(|| Fault::invalid_argument("spec.location.pool"))?;
    // Memory is shared with the source, so the clone is where that is.
    let host: Option<MoRef> = named("host").or(own(path!(VirtualMachine, "runtime.host"))).cloned();
    require_kind(&*snapshot, folder, FolderKind::Vm)?;
    check_place(&*snapshot, folder, pool, host.as_ref(), "spec.location.host")?;
    let uuid = text(spec, path!(VirtualMachineInstantCloneSpec, "biosUuid"));
    let config = object!(VirtualMachineConfigSpec {
        extraConfig: at(spec, path!(VirtualMachineInstantCloneSpec, "config")).cloned(),
        uuid: Some(uuid).filter(|uuid| !uuid.is_empty()),
    });
    let children = const { ty::VirtualMachineRelocateSpec.slot("diskMoveType") };
    let job = clone::Clone {
        catalog: service.catalog().clone(),
        source: call.this.clone(),
        folder: folder.clone(),
        name: text(spec, path!(VirtualMachineInstantCloneSpec, "name")).to_owned(),
        pool: pool.clone(),
        host,
        spec: object!(VirtualMachineCloneSpec {
            location: location.with(children, "createNewChildDiskBacking"),
            template: false,
            powerOn: true,
            config: config,
        }),
        start: power::start(service, call),
        instant: true,
    };
    Ok(Operation::new(job).shared().cancelable())
}
