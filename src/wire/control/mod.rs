//! The control API: directing a simulator over HTTP, with JSON, under
//! `/vimsim/v1`.
//!
//! ```text
//!   access ──► extract ──► tasks, clock, … ──► crate::control
//!     401, 403    400          404, 409, 422      problem: all of them as RFC 9457
//! ```
//!
//! - [`model`]: the documents
//! - `tasks`, `watch`, `clock`, `rules`, `snapshots`, `server`: the routes
//! - `access`: who may use it
//! - `extract`, [`problem`]: requests taken apart, and what is wrong with them
//!
//! The API is described by the OpenAPI document at `/vimsim/v1/openapi.json`,
//! which is made of the routes' own types.

mod access;
mod clock;
mod extract;
mod forms;
pub mod model;
pub mod problem;
mod rules;
mod server;
mod snapshots;
mod tasks;
mod watch;

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::openapi::{Info, OpenApi, SecurityScheme, Server, Tag};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use schemars::generate::SchemaSettings;

use self::problem::Problem;
use crate::control::Control;
use crate::vsphere::Service;

/// Where the API begins.
pub const BASE: &str = "/vimsim/v1";

/// What a handler gives.
type Reply<T> = Result<extract::Json<T>, Problem>;

/// What the handlers share.
#[derive(Clone, Debug)]
struct Shared {
    control: Control,
    /// Tells one run of the server from another.
    run: Arc<str>,
}

/// The routes of the control API, with the check of who may use them.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    let (routes, document) = describe();
    let document = Bytes::from(serde_json::to_vec_pretty(&document).unwrap_or_default());
    let run = match service.config().seed {
        Some(seed) => format!("{seed:x}"),
        None => uuid::Uuid::new_v4().simple().to_string(),
    };
    let shared = Shared { control: Control::new(service.clone()), run: run.into() };
    let openapi = move || {
        let document = document.clone();
        async move { ([(CONTENT_TYPE, "application/json")], document) }
    };
    let routes = routes
        .route("/openapi.json", get(openapi))
        .fallback(nowhere)
        .layer(from_fn_with_state(service.clone(), access::check))
        .with_state(shared);
    Router::new().nest(BASE, routes)
}

async fn nowhere() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing of that name in the control API")
}

/// The routes, and the document that describes them.
fn describe() -> (Router<Shared>, OpenApi) {
    // OpenAPI 3.1 has the newest JSON Schema; what describes an API is the
    // state of a thread, which is as it was when the routes are done.
    aide::generate::in_context(|context| {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        context.schema = settings.into_generator();
    });
    let mut document = OpenApi { info: info(), ..OpenApi::default() };
    let routes = ApiRouter::new()
        .merge(tasks::routes())
        .merge(watch::routes())
        .merge(clock::routes())
        .merge(rules::routes())
        .merge(snapshots::routes())
        .merge(server::routes())
        .finish_api_with(&mut document, whole);
    (routes, document)
}

fn info() -> Info {
    Info {
        title: "vimsim control API".to_owned(),
        description: Some(
            "Directs a simulated vCenter or ESXi: its tasks, its time, and what it remembers.\n\n\
             Errors are problems as RFC 9457 has them; `errors` names the parts of the request \
             that are wrong. Where the simulator checks passwords, requests need those of an \
             administrator (HTTP Basic), or the cookie of such a session."
                .to_owned(),
        ),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Info::default()
    }
}

fn whole(api: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let tag = |name: &str, description: &str| Tag {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        ..Tag::default()
    };
    let basic = SecurityScheme::Http {
        scheme: "basic".to_owned(),
        bearer_format: None,
        description: Some("The login of an administrator.".to_owned()),
        extensions: Default::default(),
    };
    let cookie = SecurityScheme::ApiKey {
        location: aide::openapi::ApiKeyLocation::Cookie,
        name: "vmware_soap_session".to_owned(),
        description: Some("The session of an administrator.".to_owned()),
        extensions: Default::default(),
    };
    api.server(Server { url: BASE.to_owned(), ..Server::default() })
        .tag(tag("tasks", "What is being done, and how it goes."))
        .tag(tag("rules", "What shall happen to tasks and calls."))
        .tag(tag("clock", "What time it is."))
        .tag(tag("server", "The simulator as a whole."))
        .security_scheme("basic", basic)
        .security_scheme("session", cookie)
        // Either will do, and neither is needed where passwords are not checked.
        .with(|mut api| {
            let one = |name: &str| [(name.to_owned(), Vec::new())].into_iter().collect();
            api.inner_mut().security = vec![one("basic"), one("session"), Default::default()];
            api
        })
}

/// How an operation is described.
fn operation<'t>(
    api: TransformOperation<'t>,
    tag: &str,
    id: &str,
    summary: &str,
) -> TransformOperation<'t> {
    api.tag(tag).id(id).summary(summary).response::<401, Problem>().response::<403, Problem>()
}
