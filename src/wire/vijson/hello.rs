//! Which release do client and server both speak?
//! `POST /api/vcenter/system?action=hello`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::releases;
use crate::vsphere::Service;

/// What the client speaks, what it likes best first.
#[derive(Deserialize)]
struct Spec {
    api_releases: Vec<String>,
}

/// Answers with the first of the client's releases that the server speaks too,
/// or with an empty text. It is an operation of the automation API, and so are
/// its errors.
pub(crate) async fn serve(
    State(service): State<Arc<Service>>,
    Query(query): Query<HashMap<String, String>>,
    body: Bytes,
) -> Response {
    if query.get("action").map(String::as_str) != Some("hello") {
        return error(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such action");
    }
    let spec: Spec = match serde_json::from_slice(&body) {
        Ok(spec) => spec,
        Err(wrong) => {
            let message = wrong.to_string();
            return error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", &message);
        }
    };
    let is_known = |name: &&String| releases(service.version()).any(|it| it.as_str() == *name);
    let chosen = spec.api_releases.iter().find(is_known);
    Json(json!({ "api_release": chosen.map_or("", String::as_str) })).into_response()
}

fn error(status: StatusCode, kind: &str, message: &str) -> Response {
    let id = format!("vimsim.{}", kind.to_ascii_lowercase());
    let message = json!({ "id": id, "default_message": message, "args": [] });
    (status, Json(json!({ "error_type": kind, "messages": [message] }))).into_response()
}
