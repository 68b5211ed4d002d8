//! Who contains whom: the tree that inventory paths, views and permissions walk.

use crate::inventory::Read;
use crate::path;
use crate::schema::{StaticPath, ty};
use crate::value::{MoRef, Value};

/// The properties that lead from a container of a type to what it contains.
pub(super) fn ways(container: &MoRef) -> &'static [&'static StaticPath] {
    let of = container.ty();
    if of.is_a(ty::Folder) {
        &[path!(Folder, "childEntity")]
    } else if of.is_a(ty::Datacenter) {
        &[
            path!(Datacenter, "vmFolder"),
            path!(Datacenter, "hostFolder"),
            path!(Datacenter, "datastoreFolder"),
            path!(Datacenter, "networkFolder"),
        ]
    } else if of.is_a(ty::ComputeResource) {
        &[path!(ComputeResource, "host"), path!(ComputeResource, "resourcePool")]
    } else if of.is_a(ty::ResourcePool) {
        &[path!(ResourcePool, "resourcePool"), path!(ResourcePool, "vm")]
    } else {
        &[]
    }
}

/// What `container` contains directly. A virtual machine has two containers:
/// its folder and its resource pool.
pub fn children(state: &(impl Read + ?Sized), container: &MoRef) -> Vec<MoRef> {
    let mut found = Vec::new();
    for way in ways(container) {
        if let Some(value) = state.get(container).and_then(|object| object.at(way)) {
            match value.as_moref() {
                Some(mo) => found.push(mo.clone()),
                None => found.extend(value.morefs().cloned()),
            }
        }
    }
    found
}

/// The entity above `entity` in the inventory tree.
pub fn parent(state: &(impl Read + ?Sized), entity: &MoRef) -> Option<MoRef> {
    // Not by reference: of what nobody has changed, nothing is made and kept.
    let up = |path| state.properties(entity)?.value(path)?.as_moref().cloned();
    let mut above = up(path!(ManagedEntity, "parent"));
    if above.is_none() && entity.ty().is_a(ty::VirtualMachine) {
        above = up(path!(VirtualMachine, "parentVApp"));
    }
    above
}

/// Whether `entity` is `top` or stands somewhere below it.
pub fn is_below(state: &(impl Read + ?Sized), entity: &MoRef, top: &MoRef) -> bool {
    std::iter::successors(Some(entity.clone()), |mo| parent(state, mo)).any(|mo| &mo == top)
}

/// The properties that lead from an entity to what it stands below.
fn ways_up(entity: &MoRef) -> &'static [&'static StaticPath] {
    let of = entity.ty();
    if of.is_a(ty::VirtualMachine) {
        &[
            path!(VirtualMachine, "parent"),
            path!(VirtualMachine, "parentVApp"),
            path!(VirtualMachine, "resourcePool"),
            path!(VirtualMachine, "runtime.host"),
        ]
    } else if of.is_a(ty::VirtualApp) {
        &[path!(VirtualApp, "parent"), path!(VirtualApp, "parentFolder")]
    } else if of.is_a(ty::ManagedEntity) {
        &[path!(ManagedEntity, "parent")]
    } else {
        &[]
    }
}

/// Everything that `entity` stands below, each once: up the tree, and of a
/// virtual machine up from its host, its resource pool and its vApp too.
pub fn above(state: &(impl Read + ?Sized), entity: &MoRef) -> Vec<MoRef> {
    let mut found: Vec<MoRef> = Vec::new();
    let mut looked = 0;
    let mut open = Some(entity.clone());
    while let Some(mo) = open {
        // Not by reference: of what nobody has changed, nothing is made and kept.
        let properties = state.properties(&mo);
        for way in ways_up(&mo) {
            let up = properties.and_then(|properties| properties.value(way));
            let Some(container) = up.as_ref().and_then(Value::as_moref) else { continue };
            // A dozen at the most, so looking through them is quick.
            if container != entity && !found.contains(container) {
                found.push(container.clone());
            }
        }
        open = found.get(looked).cloned();
        looked += 1;
    }
    found
}

/// A name as the inventory stores it: `%`, `/` and `\` escaped.
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '%' => out.push_str("%25"),
            '/' => out.push_str("%2f"),
            '\\' => out.push_str("%5c"),
            other => out.push(other),
        }
    }
    out
}
