//! `EnvironmentBrowser`: what machines on a compute resource can have.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::model::environment;
use super::service::Service;
use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{method, ty};
use crate::value::{MoRef, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::EnvironmentBrowser, method::QueryConfigOptionDescriptor, Handler::Now(descriptors)),
    (ty::EnvironmentBrowser, method::QueryConfigOption, Handler::Now(config_option)),
    (ty::EnvironmentBrowser, method::QueryConfigOptionEx, Handler::Now(config_option_ex)),
    (ty::EnvironmentBrowser, method::QueryConfigTarget, Handler::Now(config_target)),
    (ty::EnvironmentBrowser, method::QueryTargetCapabilities, Handler::Now(capabilities)),
];

/// The compute resource that a browser is of.
fn compute(snapshot: &Snapshot, browser: &MoRef) -> Result<MoRef, Fault> {
    let is_of = |compute: &MoRef| {
        snapshot.moref(compute, path!(ComputeResource, "environmentBrowser")) == Some(browser)
    };
    let mut all = snapshot.refs(ty::ComputeResource);
    all.find(|compute| is_of(compute)).cloned().ok_or_else(|| Fault::not_found(browser))
}

/// Fails if the host does not exist or is of another compute resource.
fn check_host(snapshot: &Snapshot, compute: &MoRef, host: Option<&MoRef>) -> Result<(), Fault> {
    match host {
        Some(host) if !snapshot.exists(host) => Err(Fault::not_found(host)),
        Some(host) if !super::placement::hosts(snapshot, compute).contains(host) => {
            Err(Fault::invalid_argument("host"))
        }
        _ => Ok(()),
    }
}

fn descriptors(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let hosts = super::placement::hosts(&*snapshot, &compute(&snapshot, &call.this)?);
    Ok(Some(environment::descriptors(service.catalog(), &hosts).into()))
}

fn config_option(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let host = call.moref(arg!(QueryConfigOption.host));
    check_host(&snapshot, &compute(&snapshot, &call.this)?, host)?;
    let key = call.get(arg!(QueryConfigOption.key)).and_then(Value::as_str);
    let option = environment::config_option(service.catalog(), key, &[])?;
    Ok(option.map(Value::Object))
}

fn config_option_ex(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let spec = call.get(arg!(QueryConfigOptionEx.spec)).and_then(Value::as_object);
    let at = |path| spec.and_then(|spec| spec.at(path));
    let host = at(path!(EnvironmentBrowserConfigOptionQuerySpec, "host"));
    check_host(&snapshot, &compute(&snapshot, &call.this)?, host.and_then(Value::as_moref))?;
    let key = at(path!(EnvironmentBrowserConfigOptionQuerySpec, "key")).and_then(Value::as_str);
    let guests = at(path!(EnvironmentBrowserConfigOptionQuerySpec, "guestId"));
    let guests: Vec<&str> =
        guests.map_or(&[][..], Value::items).iter().filter_map(Value::as_str).collect();
    let option = environment::config_option(service.catalog(), key, &guests)?;
    Ok(option.map(Value::Object))
}

fn config_target(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let compute = compute(&snapshot, &call.this)?;
    check_host(&snapshot, &compute, call.moref(arg!(QueryConfigTarget.host)))?;
    Ok(Some(environment::config_target(&*snapshot, &compute).into()))
}

/// What the first host can do stands for all: they are made alike.
fn capabilities(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let compute = compute(&snapshot, &call.this)?;
    let host = call.moref(arg!(QueryTargetCapabilities.host));
    check_host(&snapshot, &compute, host)?;
    let host =
        host.cloned().or_else(|| super::placement::hosts(&*snapshot, &compute).into_iter().next());
    Ok(host.and_then(|host| snapshot.at(&host, path!(HostSystem, "capability")).cloned()))
}
