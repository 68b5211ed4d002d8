//! `HostServiceSystem` and `HostDateTimeSystem`: the services that run on a
//! host, and its clock.

use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, ObjectBuilder, Value};
use crate::vsphere::authorization::host_of;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::model;
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::HostServiceSystem, method::StartService, Handler::Now(start)),
    (ty::HostServiceSystem, method::StopService, Handler::Now(stop)),
    (ty::HostServiceSystem, method::RestartService, Handler::Now(restart)),
    (ty::HostServiceSystem, method::UpdateServicePolicy, Handler::Now(set_policy)),
    (ty::HostServiceSystem, method::RefreshServices, Handler::Now(refresh)),
    (ty::HostDateTimeSystem, method::QueryDateTime, Handler::Now(time)),
    (ty::HostDateTimeSystem, method::RefreshDateTimeSystem, Handler::Now(refresh)),
];

/// What is shown is always up to date.
fn refresh(_: &Service, _: &Call) -> Answer {
    Ok(None)
}

/// All hosts have the time of the server.
fn time(service: &Service, _: &Call) -> Answer {
    Ok(Some(service.engine().now().into()))
}

fn start(service: &Service, call: &Call) -> Answer {
    change(service, call, call.text(arg!(StartService.id)), |it| set_running(it, true))
}

fn stop(service: &Service, call: &Call) -> Answer {
    change(service, call, call.text(arg!(StopService.id)), |it| {
        let required = it.get(const { ty::HostService.slot("required") });
        if required.and_then(Value::as_bool) == Some(true) {
            return Err(Fault::invalid_state());
        }
        set_running(it, false)
    })
}

/// A service that does not run is started.
fn restart(service: &Service, call: &Call) -> Answer {
    change(service, call, call.text(arg!(RestartService.id)), |it| {
        it.set(RUNNING, true);
        Ok(())
    })
}

fn set_policy(service: &Service, call: &Call) -> Answer {
    let policy = call.text(arg!(UpdateServicePolicy.policy));
    if !["on", "off", "automatic"].contains(&policy) {
        return Err(Fault::invalid_argument("policy"));
    }
    change(service, call, call.text(arg!(UpdateServicePolicy.id)), |it| {
        it.set(const { ty::HostService.slot("policy") }, policy);
        Ok(())
    })
}

const RUNNING: usize = const { ty::HostService.slot("running") };

/// Starts or stops what does not run or runs.
fn set_running(service: &mut ObjectBuilder, on: bool) -> Result<(), Fault> {
    if service.get(RUNNING).and_then(Value::as_bool) == Some(on) {
        return Err(Fault::invalid_state());
    }
    service.set(RUNNING, on);
    Ok(())
}

/// Changes the service with the id on the host whose manager is called.
fn change(
    service: &Service,
    call: &Call,
    id: &str,
    edit: impl FnOnce(&mut ObjectBuilder) -> Result<(), Fault>,
) -> Answer {
    let host = host_of(&service.engine().snapshot(), &call.this);
    let host = host.ok_or_else(|| Fault::not_found(&call.this))?;
    service.engine().commit(|tx| {
        check_connected(tx, &host)?;
        let path = path!(HostSystem, "config.service.service");
        let mut all = tx.at(&host, path).map(|it| it.items().to_vec()).unwrap_or_default();
        let held = all.iter_mut().find(|held| {
            let key = held.as_object().and_then(|held| held.at(path!(HostService, "key")));
            key.and_then(Value::as_str) == Some(id)
        });
        let not_found = || Fault::of(ty::NotFound, format!("There is no service '{id}'."));
        let held = held.ok_or_else(not_found)?;
        let mut next = held.as_object().ok_or_else(not_found)?.edit();
        edit(&mut next)?;
        *held = next.finish().into();
        tx.set(&host, path, Array::new(ty::HostService, all))?;
        model::host::refresh(tx, &host)
    })?;
    Ok(None)
}

/// Fails while a host is not in touch with its server.
pub(super) fn check_connected(state: &(impl Read + ?Sized), host: &MoRef) -> Result<(), Fault> {
    match state.text(host, path!(HostSystem, "runtime.connectionState")) {
        "connected" => Ok(()),
        _ => Err(Fault::of(
            ty::HostNotConnected,
            "Unable to communicate with the remote host, since it is disconnected.",
        )),
    }
}
