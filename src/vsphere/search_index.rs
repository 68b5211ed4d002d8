//! `SearchIndex`: finding an entity by what a person knows of it.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::model::keys;
use super::service::Service;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{Type, method, ty};
use crate::value::{Array, MoRef, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::SearchIndex, method::FindByUuid, Handler::Now(find_by_uuid)),
    (ty::SearchIndex, method::FindAllByUuid, Handler::Now(find_all_by_uuid)),
    (ty::SearchIndex, method::FindByDatastorePath, Handler::Now(find_by_datastore_path)),
    (ty::SearchIndex, method::FindByDnsName, Handler::Now(find_by_dns_name)),
    (ty::SearchIndex, method::FindAllByDnsName, Handler::Now(find_all_by_dns_name)),
    (ty::SearchIndex, method::FindByIp, Handler::Now(find_by_ip)),
    (ty::SearchIndex, method::FindAllByIp, Handler::Now(find_all_by_ip)),
    (ty::SearchIndex, method::FindByInventoryPath, Handler::Now(find_by_inventory_path)),
    (ty::SearchIndex, method::FindChild, Handler::Now(find_child)),
];

fn find_by_uuid(service: &Service, call: &Call) -> Answer {
    let (uuid, datacenter) = (call.text(arg!(FindByUuid.uuid)), arg!(FindByUuid.datacenter));
    let vms = call.flag(arg!(FindByUuid.vmSearch));
    let instance = call.flag(arg!(FindByUuid.instanceUuid));
    let snapshot = service.engine().snapshot();
    first(
        service,
        call,
        by_uuid(&snapshot, within(&snapshot, call, datacenter)?, uuid, vms, instance),
    )
}

fn find_all_by_uuid(service: &Service, call: &Call) -> Answer {
    let uuid = call.text(arg!(FindAllByUuid.uuid));
    let vms = call.flag(arg!(FindAllByUuid.vmSearch));
    let instance = call.flag(arg!(FindAllByUuid.instanceUuid));
    let snapshot = service.engine().snapshot();
    let within = within(&snapshot, call, arg!(FindAllByUuid.datacenter))?;
    all(service, call, &by_uuid(&snapshot, within, uuid, vms, instance))
}

fn by_uuid(
    snapshot: &Snapshot,
    within: Option<&MoRef>,
    uuid: &str,
    vms: bool,
    instance: bool,
) -> Vec<MoRef> {
    narrowed(snapshot, within, keys::with_uuid(snapshot, uuid, vms, instance))
}

fn find_by_dns_name(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let within = within(&snapshot, call, arg!(FindByDnsName.datacenter))?;
    let name = call.text(arg!(FindByDnsName.dnsName));
    first(
        service,
        call,
        by_dns_name(&snapshot, within, name, call.flag(arg!(FindByDnsName.vmSearch))),
    )
}

fn find_all_by_dns_name(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let within = within(&snapshot, call, arg!(FindAllByDnsName.datacenter))?;
    let name = call.text(arg!(FindAllByDnsName.dnsName));
    all(
        service,
        call,
        &by_dns_name(&snapshot, within, name, call.flag(arg!(FindAllByDnsName.vmSearch))),
    )
}

fn by_dns_name(snapshot: &Snapshot, within: Option<&MoRef>, name: &str, vms: bool) -> Vec<MoRef> {
    if vms {
        return narrowed(snapshot, within, keys::machines_with_dns_name(snapshot, name));
    }
    entities(snapshot, ty::HostSystem, within, |mo| {
        let host = snapshot.text(mo, path!(HostSystem, "config.network.dnsConfig.hostName"));
        let domain = snapshot.text(mo, path!(HostSystem, "config.network.dnsConfig.domainName"));
        name.eq_ignore_ascii_case(host)
            || name.eq_ignore_ascii_case(&format!("{host}.{domain}"))
            || name.eq_ignore_ascii_case(snapshot.text(mo, path!(HostSystem, "name")))
    })
}

fn find_by_ip(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let within = within(&snapshot, call, arg!(FindByIp.datacenter))?;
    let ip = call.text(arg!(FindByIp.ip));
    first(service, call, by_ip(&snapshot, within, ip, call.flag(arg!(FindByIp.vmSearch))))
}

fn find_all_by_ip(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let within = within(&snapshot, call, arg!(FindAllByIp.datacenter))?;
    let ip = call.text(arg!(FindAllByIp.ip));
    all(service, call, &by_ip(&snapshot, within, ip, call.flag(arg!(FindAllByIp.vmSearch))))
}

fn by_ip(snapshot: &Snapshot, within: Option<&MoRef>, ip: &str, vms: bool) -> Vec<MoRef> {
    if vms {
        return narrowed(snapshot, within, keys::machines_with_address(snapshot, ip));
    }
    entities(snapshot, ty::HostSystem, within, |mo| {
        let nics = snapshot.at(mo, path!(HostSystem, "config.network.vnic"));
        nics.map(Value::items).unwrap_or_default().iter().any(|nic| {
            nic.as_object()
                .and_then(|nic| nic.at(path!(HostVirtualNic, "spec.ip.ipAddress")))
                .and_then(Value::as_str)
                == Some(ip)
        })
    })
}

fn find_by_datastore_path(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let path = call.text(arg!(FindByDatastorePath.path));
    if !(path.starts_with('[') && path.contains(']')) {
        return Err(Fault::new(
            crate::object!(InvalidDatastorePath { datastorePath: path }),
            format!("Invalid datastore path '{path}'."),
        ));
    }
    let within = within(&snapshot, call, arg!(FindByDatastorePath.datacenter))?;
    first(service, call, narrowed(&snapshot, within, keys::machines_with_file(&*snapshot, path)))
}

fn find_by_inventory_path(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let path = call.text(arg!(FindByInventoryPath.inventoryPath));
    let mut at = service.content().root_folder.clone();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        match child(&snapshot, &at, name) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    first(service, call, [at])
}

fn find_child(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let entity = call.required(arg!(FindChild.entity))?.as_moref();
    let entity = entity.ok_or_else(|| Fault::invalid_argument("entity"))?;
    if !snapshot.exists(entity) {
        return Err(Fault::not_found(entity));
    }
    first(service, call, child(&snapshot, entity, call.text(arg!(FindChild.name))))
}

/// The child of `parent` that is called `name`, as inventory paths go.
pub(super) fn child(snapshot: &Snapshot, parent: &MoRef, name: &str) -> Option<MoRef> {
    let escaped = super::containment::escape(name);
    let names = [name, &escaped].into_iter();
    names.flat_map(|name| keys::children_called(snapshot, parent, name)).next()
}

/// The datacenter to search in, if the call names one; it must exist.
fn within<'c>(
    snapshot: &Snapshot,
    call: &'c Call,
    slot: usize,
) -> Result<Option<&'c MoRef>, Fault> {
    match call.moref(slot) {
        Some(mo) if !snapshot.exists(mo) => Err(Fault::not_found(mo)),
        given => Ok(given),
    }
}

/// Those of `found` that are below `within`.
fn narrowed(snapshot: &Snapshot, within: Option<&MoRef>, found: Vec<MoRef>) -> Vec<MoRef> {
    let is_within =
        |mo: &MoRef| within.is_none_or(|top| super::containment::is_below(snapshot, mo, top));
    found.into_iter().filter(is_within).collect()
}

fn entities(
    snapshot: &Snapshot,
    ty: Type,
    within: Option<&MoRef>,
    is_wanted: impl Fn(&MoRef) -> bool,
) -> Vec<MoRef> {
    let mut found: Vec<MoRef> = snapshot
        .refs(ty)
        .filter(|mo| is_wanted(mo))
        .filter(|mo| within.is_none_or(|top| super::containment::is_below(snapshot, mo, top)))
        .cloned()
        .collect();
    found.sort();
    found
}

/// The first that the caller sees.
fn first(service: &Service, call: &Call, found: impl IntoIterator<Item = MoRef>) -> Answer {
    let access = service.access(call.session()?, &service.engine().snapshot());
    let sees = |mo: &MoRef| access.as_ref().is_none_or(|access| access.sees(mo));
    Ok(found.into_iter().find(sees).map(Value::Ref))
}

/// Those that the caller sees.
fn all(service: &Service, call: &Call, found: &[MoRef]) -> Answer {
    let access = service.access(call.session()?, &service.engine().snapshot());
    let sees = |mo: &&MoRef| access.as_ref().is_none_or(|access| access.sees(mo));
    Ok(Some(Value::Array(Array::of_refs(found.iter().filter(sees)))))
}
