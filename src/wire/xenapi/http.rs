//! XenAPI over HTTP: which paths speak what, and the headers around it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    CONTENT_TYPE, HeaderMap, USER_AGENT,
};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use axum::{Extension, Router};

use super::{Malformed, jsonrpc, xmlrpc};
use crate::config::Direction;
use crate::connection::Peer;
use crate::value::Str;
use crate::xenapi::catalogue::LIST_METHODS;
use crate::xenapi::{Failure, Origin, Request, Server};

/// The largest body that the real product takes.
const BODY: usize = 300 * 1024;

/// What begins the headers that go into a task's `other_config`.
const OTHER_CONFIG: &str = "x-http-other-config-";

/// The content types, to the letter: a client compares them.
const XML: &str = "text/xml";
const JSON: &str = "application/json";

/// The routes where vSphere is served as well.
pub(crate) fn beside(server: &Arc<Server>) -> Router {
    Router::new()
        .route("/", xml())
        .route("/RPC2", xml())
        .route("/xmlrpc", xml())
        .route("/jsonrpc", json())
        .with_state(server.clone())
}

/// The routes where nothing else is served: any path speaks XML-RPC.
pub(crate) fn by_itself(server: &Arc<Server>) -> Router {
    Router::new()
        .route("/jsonrpc", json())
        .fallback_service(xml().with_state(server.clone()))
        .with_state(server.clone())
}

fn xml() -> MethodRouter<Arc<Server>> {
    post(serve_xml).options(options)
}

fn json() -> MethodRouter<Arc<Server>> {
    post(serve_json).options(options)
}

/// What a browser asks before it sends.
async fn options() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "X-Requested-With, Content-Type, Authorization"),
    ];
    (StatusCode::OK, headers).into_response()
}

async fn serve_xml(
    State(server): State<Arc<Server>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    trace(&server, Direction::Request, &body);
    if body.len() > BODY {
        return too_large();
    }
    let (bare, answer) = match xmlrpc::decode(&body, server.config().limits.xml_depth) {
        Ok((name, params)) => {
            let bare = name == LIST_METHODS;
            let origin = origin(&headers, peer);
            (bare, server.call(Request { name, params, origin }).await)
        }
        Err(Malformed::NotUtf8) => (false, Err(not_utf8())),
        Err(error) => return malformed(&error),
    };
    reply(&server, XML, xmlrpc::encode(&answer, bare && answer.is_ok()))
}

async fn serve_json(
    State(server): State<Arc<Server>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    trace(&server, Direction::Request, &body);
    if body.len() > BODY {
        return too_large();
    }
    let (head, answer) = match jsonrpc::decode(&body) {
        Ok(jsonrpc::Call { name, params, head }) => {
            let origin = origin(&headers, peer);
            (head, server.call(Request { name, params, origin }).await)
        }
        Err(error) => return malformed(&error),
    };
    reply(&server, JSON, jsonrpc::encode(&answer, &head))
}

fn origin(headers: &HeaderMap, peer: Option<Extension<Peer>>) -> Origin {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let other_config = headers.iter().filter_map(|(name, value)| {
        let key = name.as_str().strip_prefix(OTHER_CONFIG)?;
        Some((Str::from(format!("http:{key}")), Str::from(value.to_str().ok()?)))
    });
    Origin {
        address: peer
            .map_or_else(Str::new, |Extension(peer)| Str::from(peer.address.ip().to_string())),
        user_agent: text(USER_AGENT.as_str()).map_or_else(Str::new, Str::from),
        other_config: other_config.collect(),
        subtask_of: text("subtask-of").map(Str::from),
    }
}

fn reply(server: &Server, content_type: &'static str, body: String) -> Response {
    trace(server, Direction::Reply, body.as_bytes());
    let headers = [(CONTENT_TYPE, content_type), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (StatusCode::OK, headers, body).into_response()
}

fn not_utf8() -> Failure {
    Failure::invalid_value("request", "the body is not UTF-8")
}

fn malformed(error: &Malformed) -> Response {
    tracing::info!(%error, "a request of XenAPI could not be read");
    page(StatusCode::INTERNAL_SERVER_ERROR, "An error occurred while the request was being read.")
}

fn too_large() -> Response {
    page(StatusCode::PAYLOAD_TOO_LARGE, "The body of the request is larger than 300 KiB.")
}

fn page(status: StatusCode, text: &str) -> Response {
    let code = status.as_u16();
    let body = format!("<html><body><h1>HTTP {code}</h1>{text}</body></html>");
    let headers = [(CONTENT_TYPE, "text/html"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (status, headers, body).into_response()
}

fn trace(server: &Server, direction: Direction, message: &[u8]) {
    if let Some(trace) = &server.config().trace {
        trace.record(direction, message);
    }
}
