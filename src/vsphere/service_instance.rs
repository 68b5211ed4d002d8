//! `ServiceInstance`: where every client begins.

use super::call::Call;
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::inventory::Read;
use crate::object;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Object, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::ServiceInstance, method::RetrieveServiceContent, Handler::Now(content)),
    (ty::ServiceInstance, method::CurrentTime, Handler::Now(current_time)),
    (ty::ServiceInstance, method::RetrieveProductComponents, Handler::Now(components)),
];

/// The properties with the clock as it stands.
pub(super) fn properties(service: &Service, stored: &Object) -> Object {
    stored.with(const { ty::ServiceInstance.slot("serverClock") }, service.engine().now())
}

fn content(service: &Service, call: &Call) -> Answer {
    Ok(service.engine().snapshot().at(&call.this, path!(ServiceInstance, "content")).cloned())
}

fn current_time(service: &Service, _: &Call) -> Answer {
    Ok(Some(service.engine().now().into()))
}

fn components(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let about = snapshot.at(&call.this, path!(ServiceInstance, "content.about"));
    let text = |field: &str| {
        about
            .and_then(Value::as_object)
            .and_then(|about| about.field(field))
            .and_then(Value::as_str)
    };
    let product = object!(ProductComponentInfo {
        id: text("productLineId"),
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        release: 0,
    });
    Ok(Some(Value::Array(crate::value::Array::new(ty::ProductComponentInfo, vec![product.into()]))))
}
