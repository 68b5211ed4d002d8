//! `PlaceVm`: where a cluster would put a machine, as a recommendation that the
//! client carries out itself.

use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{method, ty};
use crate::value::{MoRef, Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::placement;
use crate::vsphere::service::Service;
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::ClusterComputeResource, method::PlaceVm, Handler::Now(place))];

fn place(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(PlaceVm.placementSpec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("placementSpec"))?;
    let kind = spec.at(path!(PlacementSpec, "placementType")).and_then(Value::as_str);
    let kind = kind.unwrap_or("relocate");
    let vm = spec.at(path!(PlacementSpec, "vm")).and_then(Value::as_moref);
    if kind != "create" && vm.is_none() {
        return Err(Fault::invalid_argument("placementSpec.vm"));
    }
    if kind == "create" && spec.at(path!(PlacementSpec, "configSpec")).is_none() {
        return Err(Fault::invalid_argument("placementSpec.configSpec"));
    }
    let list = |path| -> Vec<MoRef> {
        spec.at(path).into_iter().flat_map(Value::morefs).cloned().collect()
    };
    let hosts = list(path!(PlacementSpec, "hosts"));
    let datastores = list(path!(PlacementSpec, "datastores"));
    let named = hosts.iter().chain(&datastores).chain(vm);
    let snapshot = service.engine().snapshot();
    if let Some(unknown) = named.into_iter().find(|mo| !snapshot.exists(mo)) {
        return Err(Fault::not_found(unknown));
    }
    let target = service.commit(call, |tx| {
        let cluster = &call.this;
        let mut candidates = placement::hosts(tx, cluster);
        candidates.retain(|host| hosts.is_empty() || hosts.contains(host));
        // One of the datastores that are allowed is enough.
        let mut stores = tx.morefs(cluster, path!(ComputeResource, "datastore"));
        stores.retain(|store| datastores.is_empty() || datastores.contains(store));
        let held = vm.map(|vm| tx.morefs(vm, path!(VirtualMachine, "datastore")));
        let keeps = held.unwrap_or_default().first().filter(|held| stores.contains(held)).cloned();
        let free = |store: &MoRef| {
            tx.at(store, path!(Datastore, "summary.freeSpace")).and_then(Value::as_i64)
        };
        let roomiest = stores.iter().max_by_key(|store| free(store).unwrap_or_default()).cloned();
        let store = keeps.or(roomiest);
        let needed: Vec<MoRef> = store.iter().cloned().collect();
        let host = placement::choose(tx, &candidates, &needed, &[])?;
        let pool = tx.moref(cluster, path!(ComputeResource, "resourcePool")).cloned();
        Ok((host, store, pool, tx.now()))
    })?;
    let (host, store, pool, now) = target;
    let relocate = object!(VirtualMachineRelocateSpec {
        datastore: store.as_ref(),
        pool: pool.as_ref(),
        host: &host,
    });
    let text = match kind {
        "create" | "clone" => "Place a new virtual machine",
        _ => "Place the virtual machine",
    };
    let action: Object = object!(PlacementAction {
        type: "PlacementV1",
        vm: vm,
        targetHost: &host,
        relocateSpec: relocate,
    });
    let recommendation = object!(ClusterRecommendation {
        key: "1",
        type: "V1",
        time: now,
        rating: 1,
        reason: "xvmotionPlacement",
        reasonText: text,
        target: &call.this,
        action: [action],
    });
    Ok(Some(object!(PlacementResult { recommendations: [recommendation] }).into()))
}
