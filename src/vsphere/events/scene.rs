//! Where something happened: the objects around what an event is about.

use std::sync::Arc;

use crate::event::Scene;
use crate::inventory::Read;
use crate::object;
use crate::path;
use crate::schema::ty;
use crate::value::{MoRef, Object, ObjectBuilder, Str, Value};
use crate::vsphere::{containment, placement};

/// The scene of an event about `about`: a machine with its host, a host with
/// its compute resource, and so on up to the datacenter.
pub(super) fn scene(state: &(impl Read + ?Sized), about: &MoRef) -> Scene {
    with(state, about, ObjectBuilder::new(ty::Event), containment::above(state, about).into())
}

/// The same with some arguments given, and with what stands above.
pub(super) fn with(
    state: &(impl Read + ?Sized),
    about: &MoRef,
    mut arguments: ObjectBuilder,
    above: Arc<[MoRef]>,
) -> Scene {
    arrange(state, about, &mut arguments);
    Scene::new(&arguments.finish(), Some(about.clone()), above)
}

/// The server itself as the scene.
pub(super) fn server() -> Scene {
    Scene::default()
}

/// Adds the arguments that belong to `about` where there are none.
fn arrange(state: &(impl Read + ?Sized), about: &MoRef, arguments: &mut ObjectBuilder) {
    let mut add = |slot: usize, mo: Option<&MoRef>| {
        if arguments.get(slot).is_none() {
            arguments.set(slot, mo.and_then(|mo| argument(state, mo)));
        }
    };
    let of = about.ty();
    let mut host = None;
    let mut compute = None;
    if of.is_a(ty::VirtualMachine) {
        add(const { ty::Event.slot("vm") }, Some(about));
        let properties = state.properties(about);
        let place = properties.and_then(|it| it.value(path!(VirtualMachine, "runtime.host")));
        host = place.as_ref().and_then(Value::as_moref).cloned();
    } else if of.is_a(ty::HostSystem) {
        host = Some(about.clone());
    } else if of.is_a(ty::ComputeResource) {
        compute = Some(about.clone());
    } else if of.is_a(ty::ResourcePool) {
        compute = state.moref(about, path!(ResourcePool, "owner")).cloned();
    } else if of.is_a(ty::Datastore) {
        add(const { ty::Event.slot("ds") }, Some(about));
    } else if of.is_a(ty::Network) {
        add(const { ty::Event.slot("net") }, Some(about));
        if of.is_a(ty::DistributedVirtualPortgroup) {
            let switch = path!(DistributedVirtualPortgroup, "config.distributedVirtualSwitch");
            add(const { ty::Event.slot("dvs") }, state.moref(about, switch));
        }
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        add(const { ty::Event.slot("dvs") }, Some(about));
    }
    if let Some(host) = &host {
        add(const { ty::Event.slot("host") }, Some(host));
        compute = placement::compute_of(state, host);
    }
    add(const { ty::Event.slot("computeResource") }, compute.as_ref());
    let datacenter = placement::datacenter(state, about);
    add(const { ty::Event.slot("datacenter") }, datacenter.as_ref());
}

/// What an event says of an object: its name and its reference. Nothing for
/// what is not there.
pub(in crate::vsphere) fn argument(state: &(impl Read + ?Sized), mo: &MoRef) -> Option<Object> {
    let name = match state.at(mo, path!(ManagedEntity, "name"))? {
        // The same allocation as the inventory's.
        Value::String(name) => name.clone(),
        _ => Str::new(),
    };
    let of = mo.ty();
    Some(if of.is_a(ty::VirtualMachine) {
        object!(VmEventArgument { name: name, vm: mo })
    } else if of.is_a(ty::HostSystem) {
        object!(HostEventArgument { name: name, host: mo })
    } else if of.is_a(ty::ComputeResource) {
        object!(ComputeResourceEventArgument { name: name, computeResource: mo })
    } else if of.is_a(ty::Datacenter) {
        object!(DatacenterEventArgument { name: name, datacenter: mo })
    } else if of.is_a(ty::Datastore) {
        object!(DatastoreEventArgument { name: name, datastore: mo })
    } else if of.is_a(ty::Network) {
        object!(NetworkEventArgument { name: name, network: mo })
    } else if of.is_a(ty::DistributedVirtualSwitch) {
        object!(DvsEventArgument { name: name, dvs: mo })
    } else if of.is_a(ty::Folder) {
        object!(FolderEventArgument { name: name, folder: mo })
    } else if of.is_a(ty::ResourcePool) {
        object!(ResourcePoolEventArgument { name: name, resourcePool: mo })
    } else {
        entity_argument(state, mo)
    })
}

/// What an event says of an entity where it may be of any kind.
pub(in crate::vsphere) fn entity_argument(state: &(impl Read + ?Sized), mo: &MoRef) -> Object {
    let name = state.text(mo, path!(ManagedEntity, "name"));
    object!(ManagedEntityEventArgument { name: name, entity: mo })
}
