//! SOAP over HTTP: `POST /sdk`.

use std::pin::Pin;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};

use super::contents::{PIECE, Writer};
use super::{Limits, decode_request, encode_fault, encode_response};
use crate::config::Direction;
use crate::connection::{Connection, Hangup, Peer};
use crate::fault::Fault;
use crate::schema::{Method, Version, method};
use crate::value::{Str, Value};
use crate::vsphere::{Call, Reply, Service};
use crate::wire::caller::caller;
use crate::wire::faults::on_wire;
use crate::wire::{Vim, large, session};

/// What replies are made of, except for WSDL files and the like.
const XML: HeaderValue = HeaderValue::from_static("text/xml; charset=utf-8");

/// Where SOAP requests go.
pub(crate) const PATHS: &[&str] = &["/sdk", "/sdk/", "/sdk/vimService"];

/// Names the version that the client speaks.
const ACTION: HeaderName = HeaderName::from_static("soapaction");

/// Answers one SOAP request that came through the routes.
pub(crate) async fn serve(
    State(vim): State<Vim>,
    peer: Option<Extension<Peer>>,
    hangup: Option<Extension<Hangup>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match read(&vim.service, peer.as_deref(), &headers, &body) {
        Ok(call) => answer(vim, call, hangup).await,
        Err(reply) => *reply,
    }
}

/// Answers SOAP requests that come by themselves.
pub(crate) fn calls(
    vim: &Vim,
) -> impl Fn(&Connection, HeaderMap, Bytes) -> Pin<Box<dyn Future<Output = Response> + Send>> + use<>
{
    let vim = vim.clone();
    move |connection, headers, body| match read(
        &vim.service,
        Some(&connection.peer),
        &headers,
        &body,
    ) {
        Ok(call) => {
            let hangup = Some(Extension(connection.hangup.clone()));
            Box::pin(answer(vim.clone(), call, hangup))
        }
        Err(reply) => Box::pin(std::future::ready(*reply)),
    }
}

/// The call that a request makes, or what is replied to one that cannot be read.
fn read(
    service: &Service,
    peer: Option<&Peer>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Call, Box<Response>> {
    let config = service.config();
    if let Some(trace) = &config.trace {
        trace.record(Direction::Request, body);
    }
    let limits = Limits {
        depth: config.limits.xml_depth,
        attributes: config.limits.xml_attributes,
        ..Limits::default()
    };
    let action = headers.get(ACTION).and_then(|value| value.to_str().ok());
    let request = decode_request(body, action, limits).map_err(|error| {
        tracing::info!(%error, "a request could not be read");
        Box::new(reply(service, None, Version::NEWEST, &Err(error.into()), None))
    })?;
    let header = request.header;
    let token = session::token(headers).or(header.session_cookie.as_deref());
    let mut caller = caller(service, peer, headers, token, request.version);
    caller.operation_id = header.operation_id;
    caller.activation_id = header.activation_id;
    caller.change_tag = header.change_tag;
    caller.has_token = header.has_token;
    Ok(Call { this: request.this, method: request.method, args: request.args, caller })
}

async fn answer(
    Vim { service, kept }: Vim,
    call: Call,
    hangup: Option<Extension<Hangup>>,
) -> Response {
    large::answer(service, call, hangup, move |service, call, answer| {
        let cookie = cookie(service, call, answer.is_err());
        let (method, version) = (call.method, call.caller.version);
        let writer = match answer {
            Ok(Reply::Contents(contents)) => Writer::all(method, version, contents, &kept),
            Ok(Reply::Page(page)) => Writer::page(method, version, page, &kept),
            Ok(Reply::Value(value)) => {
                return reply(service, Some(method), version, &Ok(value), cookie);
            }
            Err(fault) => return reply(service, Some(method), version, &Err(fault), cookie),
        };
        let body = writer.map_or_else(Body::empty, |writer| written(service, writer));
        response(StatusCode::OK, body, cookie)
    })
    .await
}

/// The reply that `writer` writes: a short one whole, a long one piece by piece.
fn written(service: &Arc<Service>, mut writer: Writer) -> Body {
    let trace = service.config().trace.as_ref();
    let mut first = Vec::with_capacity(writer.length_of_first());
    // A record has messages as they are, each in one piece.
    let until = if trace.is_some() { usize::MAX } else { PIECE };
    let whole = writer.write(&mut first, until);
    if let Some(trace) = trace {
        trace.record(Direction::Reply, &first);
    }
    let first = large::sent(service, first);
    if whole {
        return first.into();
    }
    large::in_pieces(service, first, PIECE + PIECE / 8, move |piece| writer.write(piece, PIECE))
}

/// The cookie to set: of the session that the call began, or, as vCenter does,
/// one that leads nowhere after a login that failed. Who has a session keeps it.
fn cookie(service: &Service, call: &Call, failed: bool) -> Option<String> {
    let secure = service.config().tls != crate::config::Tls::Off;
    let began = call.caller.began.get().map(|session| session.token.clone());
    let failed_login = failed
        && call.caller.session.is_none()
        && [method::Login, method::LoginByToken, method::CloneSession].contains(&call.method);
    began
        .or_else(|| failed_login.then(|| Str::from(service.ids().cookie())))
        .map(|token| session::set_cookie(&token, secure))
}

fn reply(
    service: &Service,
    method: Option<Method>,
    version: Version,
    answer: &Result<Option<Value>, Fault>,
    cookie: Option<String>,
) -> Response {
    let mut body = Vec::with_capacity(1024);
    let status = match (answer, method) {
        (Ok(value), Some(method)) => {
            encode_response(method, value.as_ref(), version, &mut body);
            StatusCode::OK
        }
        (Ok(_), None) => StatusCode::OK,
        (Err(fault), _) => {
            encode_fault(fault, version, &mut body);
            let status = on_wire(fault.ty()).status;
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
    };
    if let Some(trace) = &service.config().trace {
        trace.record(Direction::Reply, &body);
    }
    response(status, large::sent(service, body).into(), cookie)
}

fn response(status: StatusCode, body: Body, cookie: Option<String>) -> Response {
    let mut response = (status, [(CONTENT_TYPE, XML)], body).into_response();
    if let Some(cookie) = cookie.and_then(|line| HeaderValue::from_str(&line).ok()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
