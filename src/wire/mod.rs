//! The front ends: the only layer that knows HTTP, XML, JSON and status codes.
//!
//! - [`soap`]: the vSphere API as SOAP; [`vijson`]: the same as JSON
//! - [`xenapi`]: XenAPI as XML-RPC and JSON-RPC
//! - [`control`]: the control API, under `/vimsim/v1`
//! - [`faults`]: the one table that says how a fault travels
//! - `conduct`: replies that do not arrive as they are
//! - `session`: which session a request belongs to; `caller`: who makes it
//! - `scalar`: texts of the simple types
//! - `large`: where a call is answered that may read much
//! - `status`: `/about` and `/debug/vars`

mod caller;
mod conduct;
pub mod control;
pub mod faults;
mod large;
mod scalar;
mod session;
pub mod soap;
mod status;
pub mod vijson;
pub mod xenapi;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::routing::{get, post};

use crate::vsphere::Service;
use crate::xenapi::Server;

/// What the front ends of the vSphere API share.
#[derive(Clone, Debug)]
pub struct Vim {
    service: Arc<Service>,
    kept: Arc<soap::kept::Kept>,
}

impl Vim {
    /// For the front ends of one server.
    pub fn new(service: &Arc<Service>) -> Self {
        Self { service: service.clone(), kept: Arc::default() }
    }
}

impl FromRef<Vim> for Arc<Service> {
    fn from_ref(vim: &Vim) -> Self {
        vim.service.clone()
    }
}

/// The routes of XenAPI on a listener of its own.
pub fn xenapi_router(server: &Arc<Server>) -> Router {
    xenapi::by_itself(server)
}

/// The routes of all front ends; of XenAPI too, if its server is given.
pub fn router(vim: &Vim, xenapi: Option<&Arc<Server>>) -> Router {
    let service = &vim.service;
    let versions = soap::schema::versions(service.version());
    let versions = move || {
        let versions = versions.clone();
        async move { ([("content-type", "text/xml; charset=utf-8")], versions) }
    };
    let api = &service.config().control;
    let routes = soap::PATHS
        .iter()
        .fold(Router::new(), |routes, path| routes.route(path, post(soap::http::serve)))
        .route("/sdk/vimService", get(soap::schema::service))
        .route("/sdk/vimServiceVersions.xml", get(versions))
        .route("/sdk/{file}", get(soap::schema::file))
        .route(
            "/sdk/vim25/{release}/{kind}/{id}/{member}",
            post(vijson::http::invoke).get(vijson::http::property),
        )
        .route("/api/vcenter/system", post(vijson::hello::serve))
        .route("/about", get(status::about))
        .route("/debug/vars", get(status::vars))
        .with_state(vim.clone());
    let routes = match xenapi {
        Some(server) => routes.merge(xenapi::beside(server)),
        None => routes,
    };
    if api.on && api.listen.is_none() { routes.merge(control::router(service)) } else { routes }
}
