//! The front ends: the only layer that knows HTTP, XML, JSON and status codes.
//!
//! - [`soap`]: the vSphere API as SOAP
//! - [`faults`]: the one table that says how a fault travels
//! - `session`: which session a request belongs to
//! - `status`: `/about` and `/debug/vars`

pub mod faults;
mod session;
pub mod soap;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::vsphere::Service;

/// The routes of all front ends.
pub fn router(service: &Arc<Service>) -> Router {
    let versions = soap::schema::versions(service.version());
    let versions = move || {
        let versions = versions.clone();
        async move { ([("content-type", "text/xml; charset=utf-8")], versions) }
    };
    Router::new()
        .route("/sdk", post(soap::http::serve))
        .route("/sdk/", post(soap::http::serve))
        .route("/sdk/vimService", post(soap::http::serve).get(soap::schema::service))
        .route("/sdk/vimServiceVersions.xml", get(versions))
        .route("/sdk/{file}", get(soap::schema::file))
        .route("/about", get(status::about))
        .route("/debug/vars", get(status::vars))
        .with_state(service.clone())
}
