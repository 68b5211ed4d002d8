//! `CreateClusterEx`, `CreateCluster`: clusters without hosts.

use super::configuration::{apply, defaults};
use crate::fault::Fault;
use crate::schema::{method, ty};
use crate::value::{Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::events;
use crate::vsphere::folder::{free_child_name, require_kind};
use crate::vsphere::host::joining::new_compute;
use crate::vsphere::model::folder::FolderKind;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::Folder, method::CreateClusterEx, Handler::Now(create_ex)),
    (ty::Folder, method::CreateCluster, Handler::Now(create)),
];

fn create_ex(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(CreateClusterEx.spec))?.as_object();
    make(service, call, call.text(arg!(CreateClusterEx.name)), spec)
}

fn create(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(CreateCluster.spec))?.as_object();
    make(service, call, call.text(arg!(CreateCluster.name)), spec)
}

/// A new cluster does nothing by itself unless its specification says so.
fn make(service: &Service, call: &Call, asked: &str, spec: Option<&Object>) -> Answer {
    service.require_vcenter()?;
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let made = service.commit(call, |tx| {
        require_kind(tx, &call.this, FolderKind::Host)?;
        let name = free_child_name(tx, &call.this, asked)?;
        let cluster = new_compute(tx, &call.this, &name, ty::ClusterComputeResource)?;
        let path = path!(ClusterComputeResource, "configurationEx");
        tx.set(&cluster, path, defaults(&cluster))?;
        let into = events::argument(tx, &call.this);
        events::post(tx, &cluster, object!(ClusterCreatedEvent { parent: into }));
        apply(tx, &cluster, spec, true)?;
        Ok(cluster)
    })?;
    Ok(Some(Value::from(made)))
}
