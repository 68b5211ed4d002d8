//! Distributed ports, and switches and port groups found by their keys:
//! `FetchDVPorts`, `FetchDVPortKeys`, `LookupDvPortGroup`, `QueryDvsByUuid`.

use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::model::dvs_ports;
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::DistributedVirtualSwitch, method::FetchDVPorts, Handler::Now(ports)),
    (ty::DistributedVirtualSwitch, method::FetchDVPortKeys, Handler::Now(port_keys)),
    (ty::DistributedVirtualSwitch, method::LookupDvPortGroup, Handler::Now(group_of_switch)),
    (ty::DistributedVirtualSwitchManager, method::DVSManagerLookupDvPortGroup, Handler::Now(group)),
    (ty::DistributedVirtualSwitchManager, method::QueryDvsByUuid, Handler::Now(by_uuid)),
];

fn ports(service: &Service, call: &Call) -> Answer {
    let found = matching(service, call, call.get(arg!(FetchDVPorts.criteria)));
    let found = found.into_iter().map(Value::from).collect();
    Ok(Some(Array::new(ty::DistributedVirtualPort, found).into()))
}

fn port_keys(service: &Service, call: &Call) -> Answer {
    let found = matching(service, call, call.get(arg!(FetchDVPortKeys.criteria)));
    let keys = found.iter().filter_map(|port| port.field("key").cloned()).collect();
    Ok(Some(Array::new(ty::STRING, keys).into()))
}

/// The ports of a switch that fit the criteria; without any, all of them.
fn matching(service: &Service, call: &Call, criteria: Option<&Value>) -> Vec<Object> {
    let snapshot = service.engine().snapshot();
    let criteria = criteria.and_then(Value::as_object);
    let texts = |field| -> Vec<&str> {
        let list = criteria.and_then(|it| it.field(field)).map_or(&[][..], Value::items);
        list.iter().filter_map(Value::as_str).collect()
    };
    let flag = |field| criteria.and_then(|it| it.field(field)).and_then(Value::as_bool);
    let (groups, keys) = (texts("portgroupKey"), texts("portKey"));
    let hosts: Vec<&MoRef> =
        criteria.and_then(|it| it.field("host")).into_iter().flat_map(Value::morefs).collect();
    // Whether the groups are those that are meant, or those that are not.
    let inside = flag("inside") != Some(false);
    let uplinks =
        snapshot.morefs(&call.this, path!(DistributedVirtualSwitch, "config.uplinkPortgroup"));
    let text = |port: &Object, field: &str| -> String {
        port.field(field).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let fits = |port: &Object| {
        let group = text(port, "portgroupKey");
        let of_group = groups.is_empty() || groups.contains(&group.as_str()) == inside;
        let connected = port.field("connectee").is_some();
        let runtime = port.at(path!(DistributedVirtualPort, "state.runtimeInfo.linkUp"));
        let active = runtime.and_then(Value::as_bool).unwrap_or_default();
        let host = port.at(path!(DistributedVirtualPort, "proxyHost")).and_then(Value::as_moref);
        of_group
            && (keys.is_empty() || keys.contains(&text(port, "key").as_str()))
            && flag("connected").is_none_or(|wanted| wanted == connected)
            && flag("active").is_none_or(|wanted| wanted == active)
            && flag("uplinkPort")
                .is_none_or(|wanted| wanted == uplinks.iter().any(|it| it.id() == group))
            && (hosts.is_empty() || host.is_some_and(|host| hosts.contains(&host)))
    };
    dvs_ports::ports(&*snapshot, &call.this, &[]).into_iter().filter(fits).collect()
}

fn group_of_switch(service: &Service, call: &Call) -> Answer {
    let key = call.text(arg!(LookupDvPortGroup.portgroupKey));
    find_group(&service.engine().snapshot(), &call.this, key).map(|it| Some(it.into()))
}

fn group(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let switch = find_switch(&snapshot, call.text(arg!(DVSManagerLookupDvPortGroup.switchUuid)))?;
    let key = call.text(arg!(DVSManagerLookupDvPortGroup.portgroupKey));
    find_group(&snapshot, &switch, key).map(|it| Some(it.into()))
}

fn by_uuid(service: &Service, call: &Call) -> Answer {
    let uuid = call.text(arg!(QueryDvsByUuid.uuid));
    find_switch(&service.engine().snapshot(), uuid).map(|it| Some(it.into()))
}

fn find_switch(state: &Snapshot, uuid: &str) -> Result<MoRef, Fault> {
    let switches = state.of_type(ty::DistributedVirtualSwitch).map(|(mo, _)| mo);
    let mut found = switches.filter(|mo| {
        state.text(mo, path!(DistributedVirtualSwitch, "uuid")).eq_ignore_ascii_case(uuid)
    });
    found.next().cloned().ok_or_else(|| nothing("switch", uuid))
}

fn find_group(state: &Snapshot, switch: &MoRef, key: &str) -> Result<MoRef, Fault> {
    let groups = state.morefs(switch, path!(DistributedVirtualSwitch, "portgroup"));
    groups.into_iter().find(|group| group.id() == key).ok_or_else(|| nothing("port group", key))
}

fn nothing(what: &str, key: &str) -> Fault {
    Fault::of(ty::NotFound, format!("There is no {what} '{key}'."))
}
