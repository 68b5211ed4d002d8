//! What is set on a host besides its services: the firewall, and looks for
//! storage that has changed.

use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Array, Value};
use crate::vsphere::authorization::host_of;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::model;
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::HostFirewallSystem, method::EnableRuleset, Handler::Now(enable)),
    (ty::HostFirewallSystem, method::DisableRuleset, Handler::Now(disable)),
    (ty::HostFirewallSystem, method::RefreshFirewall, Handler::Now(look)),
    (ty::HostStorageSystem, method::RescanAllHba, Handler::Now(look)),
    (ty::HostStorageSystem, method::RescanVmfs, Handler::Now(look)),
    (ty::HostStorageSystem, method::RefreshStorageSystem, Handler::Now(look)),
];

/// What is shown is always up to date; a host that is gone shows nothing.
fn look(service: &Service, call: &Call) -> Answer {
    let state = service.engine().snapshot();
    let host = host_of(&state, &call.this).ok_or_else(|| Fault::not_found(&call.this))?;
    super::services::check_connected(&*state, &host)?;
    Ok(None)
}

fn enable(service: &Service, call: &Call) -> Answer {
    set(service, call, call.text(arg!(EnableRuleset.id)), true)
}

fn disable(service: &Service, call: &Call) -> Answer {
    set(service, call, call.text(arg!(DisableRuleset.id)), false)
}

/// Opens or closes the ports of a rule set. What the host itself needs stays open.
fn set(service: &Service, call: &Call, id: &str, enabled: bool) -> Answer {
    let host = host_of(&service.engine().snapshot(), &call.this);
    let host = host.ok_or_else(|| Fault::not_found(&call.this))?;
    service.commit(call, |tx| {
        super::services::check_connected(tx, &host)?;
        let path = path!(HostSystem, "config.firewall.ruleset");
        let mut all = tx.at(&host, path).map_or(&[][..], Value::items).to_vec();
        let key = |set: &Value| Some(set.as_object()?.field("key")?.as_str()? == id);
        let found = all.iter_mut().find(|set| key(set) == Some(true));
        let unknown = || Fault::of(ty::NotFound, format!("There is no rule set '{id}'."));
        let found = found.ok_or_else(unknown)?;
        let held = found.as_object().ok_or_else(unknown)?;
        if !enabled && held.field("required").and_then(Value::as_bool) == Some(true) {
            return Err(Fault::invalid_argument("id"));
        }
        let next = held.with(const { ty::HostFirewallRuleset.slot("enabled") }, enabled);
        *found = next.into();
        tx.set(&host, path, Array::new(ty::HostFirewallRuleset, all))?;
        model::host::refresh(tx, &host)
    })?;
    Ok(None)
}
