//! The routes of VI/JSON.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::{Limits, decode_arguments, encode_fault, encode_result, releases};
use crate::config::Direction;
use crate::connection::{Hangup, Peer};
use crate::fault::Fault;
use crate::schema::{Field, Kind, Method, Type, Version, method};
use crate::value::{MoRef, Value};
use crate::vsphere::{Call, Reply, Service};
use crate::wire::caller::{caller, text};
use crate::wire::faults::on_wire;
use crate::wire::{large, session};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The parts of a path below `/sdk/vim25`: release, type, id, member.
type Parts = (String, String, String, String);

/// A path that leads nowhere, as the fault that says so.
struct Nowhere(Fault);

/// Answers `POST`: a call of a method.
pub(crate) async fn invoke(
    State(service): State<Arc<Service>>,
    Path((release, kind, id, member)): Path<Parts>,
    peer: Option<Extension<Peer>>,
    hangup: Option<Extension<Hangup>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    trace(&service, Direction::Request, &body);
    let found = receiver(&service, &release, &kind, &id)
        .and_then(|(version, this)| Ok((version, method_of(version, &this, &member)?, this)));
    let (version, method, this) = match found {
        Ok(found) => found,
        Err(Nowhere(fault)) => return refuse(&service, StatusCode::NOT_FOUND, &fault),
    };
    let args = match decode_arguments(method, &body, version, Limits::default()) {
        Ok(args) => args,
        Err(error) => {
            tracing::info!(%error, "a request could not be read");
            return reply(&service, version, method.result(), &Err(error.into()), None);
        }
    };
    let call = call(&service, peer.as_deref(), &headers, version, (this, method, args));
    large::answer(service, call, hangup, move |service, call, answer| {
        let token = call.caller.began.get().map(|session| session.token.as_str());
        let answer = answer.map(Reply::into_value);
        reply(service, version, method.result(), &answer, token)
    })
    .await
}

/// Answers `GET`: a property.
pub(crate) async fn property(
    State(service): State<Arc<Service>>,
    Path((release, kind, id, member)): Path<Parts>,
    peer: Option<Extension<Peer>>,
    hangup: Option<Extension<Hangup>>,
    headers: HeaderMap,
) -> Response {
    let found = receiver(&service, &release, &kind, &id)
        .and_then(|(version, this)| Ok((version, property_of(version, this.ty(), &member)?, this)));
    let (version, field, this) = match found {
        Ok(found) => found,
        Err(Nowhere(fault)) => return refuse(&service, StatusCode::NOT_FOUND, &fault),
    };
    let args = Box::new([Some(Value::from(member.as_str()))]);
    let call = call(&service, peer.as_deref(), &headers, version, (this, method::Fetch, args));
    large::answer(service, call, hangup, move |service, _, answer| {
        reply(service, version, Some(field), &answer.map(Reply::into_value), None)
    })
    .await
}

fn call(
    service: &Service,
    peer: Option<&Peer>,
    headers: &HeaderMap,
    version: Version,
    (this, method, args): (MoRef, Method, Box<[Option<Value>]>),
) -> Call {
    let token = session::header_token(headers).or_else(|| session::token(headers));
    let mut caller = caller(service, peer, headers, token, version);
    // What the SOAP header says there; the names of the automation API as well.
    let first = |names: [&str; 2]| names.iter().find_map(|name| text(headers, name));
    caller.operation_id = first(["operationID", "vapi-ctx-opid"]);
    caller.activation_id = first(["activationId", "vapi-ctx-actid"]);
    caller.change_tag = text(headers, "changeTag");
    Call { this, method, args, caller }
}

/// The version that a path's release stands for, and the object that it names.
fn receiver(
    service: &Service,
    release: &str,
    kind: &str,
    id: &str,
) -> Result<(Version, MoRef), Nowhere> {
    let version = releases(service.version()).find(|it| it.as_str() == release);
    let version = version.ok_or_else(|| {
        let server = service.version();
        let reason = format!("The release {release} is not one of this server, which is {server}.");
        Nowhere(Fault::invalid_request(reason))
    })?;
    let kind = Type::by_name(kind)
        .filter(|ty| ty.name() == kind && ty.kind() == Kind::Managed && ty.since() <= version)
        .ok_or_else(|| Nowhere(Fault::invalid_type(kind)))?;
    Ok((version, MoRef::new(kind, id)))
}

fn method_of(version: Version, this: &MoRef, name: &str) -> Result<Method, Nowhere> {
    Method::by_name(name)
        .filter(|method| this.ty().is_a(method.owner()) && method.since() <= version)
        .ok_or_else(|| Nowhere(Fault::method_not_found(this, name)))
}

fn property_of(version: Version, of: Type, name: &str) -> Result<Field, Nowhere> {
    of.field(name)
        .map(|(_, field)| field)
        .filter(|field| field.since() <= version)
        .ok_or_else(|| Nowhere(Fault::invalid_property(name)))
}

fn reply(
    service: &Service,
    version: Version,
    result: Option<Field>,
    answer: &Result<Option<Value>, Fault>,
    token: Option<&str>,
) -> Response {
    let value = match answer {
        Ok(value) => value.as_ref(),
        Err(fault) => {
            let status = on_wire(fault.ty()).status;
            let status = StatusCode::from_u16(status);
            return refuse_to(
                service,
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                version,
                fault,
            );
        }
    };
    let mut body = Vec::with_capacity(1024);
    let has_body = result.is_some_and(|field| encode_result(field, value, version, &mut body));
    trace(service, Direction::Reply, &body);
    let mut response = if has_body {
        (StatusCode::OK, [(CONTENT_TYPE, JSON)], large::sent(service, body)).into_response()
    } else {
        StatusCode::NO_CONTENT.into_response()
    };
    if let Some(token) = token.and_then(|token| HeaderValue::from_str(token).ok()) {
        response.headers_mut().insert(session::HEADER, token);
    }
    response
}

fn refuse(service: &Service, status: StatusCode, fault: &Fault) -> Response {
    refuse_to(service, status, Version::NEWEST, fault)
}

fn refuse_to(service: &Service, status: StatusCode, version: Version, fault: &Fault) -> Response {
    let mut body = Vec::with_capacity(512);
    encode_fault(fault, version, &mut body);
    trace(service, Direction::Reply, &body);
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

fn trace(service: &Service, direction: Direction, message: &[u8]) {
    if let Some(trace) = &service.config().trace {
        trace.record(direction, message);
    }
}
