//! `OptionManager`: the settings of the server, and the advanced options of hosts.

use super::authorization::host_of;
use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::model;
use super::service::Service;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::OptionManager, method::QueryOptions, Handler::Now(query)),
    (ty::OptionManager, method::UpdateOptions, Handler::Now(update)),
];

fn key(option: &Value) -> &str {
    let key = option.as_object().and_then(|option| option.at(path!(OptionValue, "key")));
    key.and_then(Value::as_str).unwrap_or_default()
}

fn invalid_name(name: &str) -> Fault {
    Fault::invalid_name(name, None)
}

/// Fails if the settings of vCenter name no server that would send mail. None is
/// sent anyway, but this is where people see that something is missing.
pub(super) fn check_mail(state: &(impl Read + ?Sized)) -> Result<(), Fault> {
    let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let settings = state.moref(&service, path!(ServiceInstance, "content.setting"));
    let all = settings.and_then(|mo| state.at(mo, path!(OptionManager, "setting")));
    let all = all.map(Value::items).unwrap_or_default();
    let server = all.iter().find(|option| key(option) == "mail.smtp.server");
    let server = server.and_then(|it| it.as_object()?.at(path!(OptionValue, "value"))?.as_str());
    if server.is_some_and(|server| !server.trim().is_empty()) {
        return Ok(());
    }
    let message = "No server for mail is set: mail.smtp.server.";
    Err(Fault::new(object!(InvalidState {}), message))
}

/// One option, all below a name that ends with a dot, or all.
fn query(service: &Service, call: &Call) -> Answer {
    let name = call.text(arg!(QueryOptions.name));
    let snapshot = service.engine().snapshot();
    let all = snapshot.at(&call.this, path!(OptionManager, "setting")).map(Value::items);
    let wanted = |option: &Value| {
        let key = key(option);
        name.is_empty() || key == name || (name.ends_with('.') && key.starts_with(name))
    };
    let found: Vec<Value> =
        all.unwrap_or_default().iter().filter(|option| wanted(option)).cloned().collect();
    if found.is_empty() && !name.is_empty() {
        return Err(invalid_name(name));
    }
    Ok(Some(Array::new(ty::OptionValue, found).into()))
}

/// All of the changes or none.
fn update(service: &Service, call: &Call) -> Answer {
    let changes = call.required(arg!(UpdateOptions.changedValue))?;
    let changes: Vec<&Object> = changes.items().iter().filter_map(Value::as_object).collect();
    let host = host_of(&service.engine().snapshot(), &call.this);
    service.engine().commit(|tx| {
        let held = tx.at(&call.this, path!(OptionManager, "setting"));
        let mut all = held.map(|held| held.items().to_vec()).unwrap_or_default();
        for change in changes {
            apply(&mut all, change, host.is_some())?;
        }
        let all = Array::new(ty::OptionValue, all);
        match &host {
            Some(host) => {
                tx.set(host, path!(HostSystem, "config.option"), all)?;
                model::host::refresh(tx, host)
            }
            None => tx.set(&call.this, path!(OptionManager, "setting"), all),
        }
    })?;
    Ok(None)
}

/// A server takes new names and forgets options that are set to nothing; a
/// host knows its options. There are more on a real one than here, so a name
/// is one if others begin like it.
fn apply(all: &mut Vec<Value>, change: &Object, on_host: bool) -> Result<(), Fault> {
    let name = change.at(path!(OptionValue, "key")).and_then(Value::as_str).unwrap_or_default();
    let asked = change.at(path!(OptionValue, "value"));
    let place = all.iter().position(|option| key(option) == name);
    let held = place.and_then(|at| all.get(at)).and_then(Value::as_object);
    let held = held.and_then(|held| held.at(path!(OptionValue, "value")));
    let Some(asked) = asked else {
        return match place {
            Some(at) if !on_host => {
                all.remove(at);
                Ok(())
            }
            _ => Err(Fault::invalid_argument("changedValue.value")),
        };
    };
    let next = match held {
        Some(held) => fitted(held, asked).ok_or_else(|| Fault::invalid_argument(name))?,
        None => asked.clone(),
    };
    let next = Value::from(object!(OptionValue { key: name, value: next }));
    match place.and_then(|at| all.get_mut(at)) {
        Some(option) => *option = next,
        None => {
            let group = name.split_once('.').map(|(group, _)| format!("{group}."));
            let known = group.is_some_and(|group| all.iter().any(|it| key(it).starts_with(&group)));
            if name.is_empty() || (on_host && !known) {
                return Err(invalid_name(name));
            }
            all.push(next);
        }
    }
    Ok(())
}

/// The value in the type that the option has; integers of all widths fit each other.
fn fitted(held: &Value, asked: &Value) -> Option<Value> {
    match held {
        Value::Long(_) => asked.as_i64().map(Value::Long),
        Value::Int(_) => asked.as_i32().map(Value::Int),
        _ => (held.ty() == asked.ty()).then(|| asked.clone()),
    }
}
