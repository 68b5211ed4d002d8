//! `/about` and `/debug/vars`: what is served, and how much of it there is.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value as Json_, json};

use crate::inventory::Snapshot;
use crate::schema::{Method, ty};
use crate::vsphere::Service;

/// The methods and types that are served, and for every method of the schema
/// whether it is `modelled`, `scriptable` (a rule can make a task of it), or
/// `absent`.
pub(crate) async fn about(State(service): State<Arc<Service>>) -> Json<Json_> {
    let methods: Vec<&str> = service.methods().iter().map(|method| method.name()).collect();
    let mut types: Vec<&str> =
        service.engine().snapshot().iter().map(|(mo, _)| mo.ty().name()).collect();
    types.sort_unstable();
    types.dedup();
    let modelled: HashSet<Method> = service.methods().into_iter().collect();
    let coverage = Method::all().map(|method| {
        let coverage = match method {
            method if modelled.contains(&method) => "modelled",
            method if method.is_task() => "scriptable",
            _ => "absent",
        };
        (method.name(), coverage)
    });
    let coverage: BTreeMap<_, _> = coverage.collect();
    Json(json!({ "methods": methods, "types": types, "coverage": coverage }))
}

/// Counts, in the form of Go's expvar, which scripts around vcsim read.
pub(crate) async fn vars(State(service): State<Arc<Service>>) -> Json<Json_> {
    let model = counts(&service.engine().snapshot());
    Json(json!({
        "cmdline": std::env::args().collect::<Vec<_>>(),
        "vcsim": { "model": model, "sessions": service.sessions().len() },
    }))
}

fn counts(snapshot: &Snapshot) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for (name, of) in [
        ("datacenter", ty::Datacenter),
        ("cluster", ty::ClusterComputeResource),
        ("host", ty::HostSystem),
        ("machine", ty::VirtualMachine),
        ("datastore", ty::Datastore),
        ("pool", ty::ResourcePool),
        ("portgroup", ty::DistributedVirtualPortgroup),
        ("folder", ty::Folder),
        ("app", ty::VirtualApp),
        ("pod", ty::StoragePod),
    ] {
        counts.insert(name, 0);
        for mo in snapshot.refs(of) {
            // A pod is a folder and an app is a pool: each counts as itself only.
            let own = match mo.ty() {
                t if t == ty::StoragePod => "pod",
                t if t == ty::VirtualApp => "app",
                _ => name,
            };
            if own == name {
                *counts.entry(name).or_default() += 1;
            }
        }
    }
    counts
}
