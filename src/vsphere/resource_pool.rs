//! `ResourcePool`: shares of what a host or a cluster has.

use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::events;
use super::service::Service;
use super::vm::{registry, state};
use super::{model, names, removal};
use crate::engine::Tx;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{StaticPath, method, ty};
use crate::value::{DateTime, MoRef, Object, Value};
use crate::{object, path};

pub(super) const METHODS: &[Entry] = &[
    (ty::ResourcePool, method::CreateResourcePool, Handler::Now(create)),
    (ty::ResourcePool, method::UpdateConfig, Handler::Now(update)),
    (ty::ResourcePool, method::UpdateChildResourceConfiguration, Handler::Now(update_children)),
    (ty::ResourcePool, method::DestroyChildren, Handler::Now(destroy_children)),
    (ty::ResourcePool, method::MoveIntoResourcePool, Handler::Now(move_into)),
    (ty::ResourcePool, method::RefreshRuntime, Handler::Now(refresh)),
];

fn create(service: &Service, call: &Call) -> Answer {
    let asked = call.text(arg!(CreateResourcePool.name));
    let spec = call.required(arg!(CreateResourcePool.spec))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    let made = service.commit(call, |tx| insert(tx, &call.this, asked, spec))?;
    Ok(Some(made.into()))
}

/// Adds a pool below another one.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    parent: &MoRef,
    asked: &str,
    spec: &Object,
) -> Result<MoRef, Fault> {
    let name = names::stored(asked, None)?;
    names::check_free(tx, parent, ty::ResourcePool, &name, None)?;
    let owner = super::placement::owner(tx, parent)?;
    let (mo, now) = (tx.next_moref(ty::ResourcePool, "resgroup"), tx.now());
    let new = model::pool::NewPool { mo: &mo, name: &name, parent, owner: &owner, now };
    let pool = model::pool::resource_pool(&new, capacity(tx, parent));
    tx.insert(mo.clone(), pool);
    configure(tx, &mo, spec, now)?;
    tx.push_ref(parent, path!(ResourcePool, "resourcePool"), &mo)?;
    let (pool, into) = (events::argument(tx, &mo), events::argument(tx, parent));
    events::post(tx, &mo, object!(ResourcePoolCreatedEvent { resourcePool: pool, parent: into }));
    Ok(mo)
}

/// What a pool may use at the most, in MHz and megabytes.
pub(super) fn capacity(state: &(impl Read + ?Sized), pool: &MoRef) -> (i64, i64) {
    let most = |path| state.at(pool, path).and_then(Value::as_i64).unwrap_or_default();
    (
        most(path!(ResourcePool, "runtime.cpu.maxUsage")),
        most(path!(ResourcePool, "runtime.memory.maxUsage")) >> 20,
    )
}

fn update(service: &Service, call: &Call) -> Answer {
    let asked = call.text(arg!(UpdateConfig.name));
    let config = call.get(arg!(UpdateConfig.config)).and_then(Value::as_object);
    service.commit(call, |tx| {
        let pool = &call.this;
        if !asked.is_empty() && asked != tx.text(pool, path!(ResourcePool, "name")) {
            let parent = tx.moref(pool, path!(ResourcePool, "parent"));
            if parent.is_none_or(|parent| parent.ty().is_a(ty::ComputeResource)) {
                return Err(Fault::not_supported());
            }
            let name = super::managed_entity::free_name(tx, pool, asked)?;
            let now = tx.now();
            let before = tx.text(pool, path!(ResourcePool, "name")).to_owned();
            model::rename(tx, pool, &name, now)?;
            events::life::renamed(tx, pool, &before);
        }
        let now = tx.now();
        config.map_or(Ok(()), |config| reconfigure(tx, pool, config, now))
    })?;
    Ok(None)
}

/// Takes over an allocation: of a pool its own configuration, of a machine the
/// allocations in its configuration.
fn update_children(service: &Service, call: &Call) -> Answer {
    let specs = call.required(arg!(UpdateChildResourceConfiguration.spec))?.items();
    service.commit(call, |tx| {
        for spec in specs.iter().filter_map(Value::as_object) {
            let entity = spec.at(path!(ResourceConfigSpec, "entity")).and_then(Value::as_moref);
            let entity = entity.ok_or_else(|| Fault::invalid_argument("spec.entity"))?;
            let path = if entity.ty().is_a(ty::VirtualMachine) {
                path!(ResourcePool, "vm")
            } else {
                path!(ResourcePool, "resourcePool")
            };
            if !tx.morefs(&call.this, path).contains(entity) {
                return Err(Fault::invalid_argument("spec.entity"));
            }
            let now = tx.now();
            if entity.ty().is_a(ty::ResourcePool) {
                reconfigure(tx, entity, spec, now)?;
                continue;
            }
            for (from, to) in ALLOCATIONS_OF_MACHINES {
                if let Some(allocation) = spec.at(from) {
                    check_allocation(spec, from)?;
                    tx.set(entity, to, allocation)?;
                }
            }
            model::vm::refresh(tx, entity, now)?;
        }
        Ok(())
    })?;
    Ok(None)
}

const ALLOCATIONS_OF_MACHINES: [(&StaticPath, &StaticPath); 2] = [
    (path!(ResourceConfigSpec, "cpuAllocation"), path!(VirtualMachine, "config.cpuAllocation")),
    (
        path!(ResourceConfigSpec, "memoryAllocation"),
        path!(VirtualMachine, "config.memoryAllocation"),
    ),
];

/// The two allocations of a pool, with the shares that stand for a normal level.
const ALLOCATIONS: [(&StaticPath, i32); 2] = [
    (path!(ResourceConfigSpec, "cpuAllocation"), 4000),
    (path!(ResourceConfigSpec, "memoryAllocation"), 163_840),
];

/// The same for a pool that has been there before.
fn reconfigure(tx: &mut Tx<'_>, pool: &MoRef, spec: &Object, now: DateTime) -> Result<(), Fault> {
    let held = tx.at(pool, path!(ResourcePool, "config")).and_then(Value::as_object);
    if !version(spec).is_empty() && held.is_none_or(|held| version(held) != version(spec)) {
        return Err(Fault::of(
            ty::ConcurrentAccess,
            "Another task or user has changed the configuration of the object.",
        ));
    }
    let config = |tx: &Tx<'_>| tx.at(pool, path!(ResourcePool, "config")).cloned();
    let before = config(tx);
    configure(tx, pool, spec, now)?;
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, config(tx)) {
        events::life::pool_reconfigured(tx, pool, &before, &after);
    }
    Ok(())
}

/// Which configuration a spec is about.
fn version(spec: &Object) -> &str {
    let version = spec.at(path!(ResourceConfigSpec, "changeVersion"));
    version.and_then(Value::as_str).unwrap_or_default()
}

/// Gives a pool the configuration that `spec` asks for; what it leaves out stays.
pub(super) fn configure(
    tx: &mut Tx<'_>,
    pool: &MoRef,
    spec: &Object,
    now: DateTime,
) -> Result<(), Fault> {
    let held = tx.at(pool, path!(ResourcePool, "config")).and_then(Value::as_object);
    let held = held.cloned().ok_or_else(|| Fault::not_found(pool))?;
    let mut next = held.edit();
    for (path, normal) in ALLOCATIONS {
        check_allocation(spec, path)?;
        let (Some(Value::Object(asked)), Some(slot)) = (spec.at(path), path.slots().first()) else {
            continue;
        };
        let slot = usize::from(*slot);
        let now = next.get(slot).and_then(Value::as_object);
        let merged = now.map_or_else(|| asked.clone(), |now| super::vm::merged(now, asked));
        next.set(slot, with_shares(&merged, normal));
    }
    if let Some(scale) = spec.at(path!(ResourceConfigSpec, "scaleDescendantsShares")) {
        next.set(const { ty::ResourceConfigSpec.slot("scaleDescendantsShares") }, scale);
    }
    next.set(const { ty::ResourceConfigSpec.slot("entity") }, pool);
    next.set(const { ty::ResourceConfigSpec.slot("lastModified") }, now);
    let number = version(&held).parse::<u64>().unwrap_or_default() + 1;
    next.set(const { ty::ResourceConfigSpec.slot("changeVersion") }, number.to_string());
    let config = next.finish();
    let Some(properties) = tx.get(pool) else { return Err(Fault::not_found(pool)) };
    let properties = model::pool::with_config(properties, &config);
    tx.replace(pool, properties)
}

fn check_allocation(spec: &Object, path: &StaticPath) -> Result<(), Fault> {
    let Some(Value::Object(asked)) = spec.at(path) else { return Ok(()) };
    let number = |path| asked.at(path).and_then(Value::as_i64);
    let limit = number(path!(ResourceAllocationInfo, "limit")).unwrap_or(-1);
    let reservation = number(path!(ResourceAllocationInfo, "reservation")).unwrap_or_default();
    if limit < -1 {
        return Err(Fault::invalid_argument(&format!("spec.{}.limit", path.text())));
    }
    if reservation < 0 || (limit >= 0 && reservation > limit) {
        return Err(Fault::invalid_argument(&format!("spec.{}.reservation", path.text())));
    }
    Ok(())
}

fn with_shares(allocation: &Object, normal: i32) -> Object {
    let level =
        allocation.at(path!(ResourceAllocationInfo, "shares.level")).and_then(Value::as_str);
    let shares = match level {
        Some("low") => normal / 2,
        Some("normal") => normal,
        Some("high") => normal * 2,
        _ => return allocation.clone(),
    };
    let shares = object!(SharesInfo { shares: shares, level: level });
    allocation.with(const { ty::ResourceAllocationInfo.slot("shares") }, shares)
}

/// Everything below the pool is dissolved; machines end up in the pool itself.
fn destroy_children(service: &Service, call: &Call) -> Answer {
    service.commit(call, |tx| {
        for child in tx.morefs(&call.this, path!(ResourcePool, "resourcePool")) {
            dissolve(tx, &child)?;
        }
        Ok(())
    })?;
    Ok(None)
}

/// Not recursive: clients decide how deep pools are nested.
fn dissolve(tx: &mut Tx<'_>, pool: &MoRef) -> Result<(), Fault> {
    let mut pools = vec![pool.clone()];
    let mut seen = 0;
    while let Some(pool) = pools.get(seen) {
        pools.extend(tx.morefs(pool, path!(ResourcePool, "resourcePool")));
        seen += 1;
    }
    pools.iter().rev().try_for_each(|pool| removal::dissolve_pool(tx, pool))
}

/// Machines and pools of the same compute resource come into this pool; a
/// machine of a cluster's other host stays on its host.
fn move_into(service: &Service, call: &Call) -> Answer {
    let list = call.required(arg!(MoveIntoResourcePool.list))?;
    service.commit(call, |tx| {
        let pool = &call.this;
        let owner = super::placement::owner(tx, pool)?;
        for entity in list.morefs() {
            if !tx.exists(entity) {
                return Err(Fault::not_found(entity));
            }
            if entity.ty().is_a(ty::VirtualMachine) {
                let host = state::host(tx, entity)?;
                if super::placement::compute_of(tx, &host).as_ref() != Some(&owner)
                    || state::is_template(tx, entity)
                {
                    return Err(Fault::invalid_argument("list"));
                }
                let from = tx.moref(entity, path!(VirtualMachine, "resourcePool")).cloned();
                registry::move_to_pool(tx, entity, pool)?;
                events::life::moved_to_pool(tx, entity, from.as_ref(), pool);
            } else if entity.ty().is_a(ty::ResourcePool) {
                let is_above = super::containment::is_below(tx, pool, entity);
                if is_above || super::placement::owner(tx, entity)? != owner {
                    return Err(Fault::invalid_argument("list"));
                }
                let name = tx.text(entity, path!(ResourcePool, "name")).to_owned();
                names::check_free(tx, pool, ty::ResourcePool, &name, Some(entity))?;
                let from = tx.moref(entity, path!(ResourcePool, "parent")).cloned();
                move_pool(tx, entity, pool)?;
                events::life::moved_to_pool(tx, entity, from.as_ref(), pool);
            } else {
                return Err(Fault::invalid_argument("list"));
            }
        }
        Ok(())
    })?;
    Ok(None)
}

/// Puts a pool with all that is in it under another one.
pub(super) fn move_pool(tx: &mut Tx<'_>, pool: &MoRef, to: &MoRef) -> Result<(), Fault> {
    let machines = machines_below(tx, pool);
    model::totals::around(tx, &machines, |tx| {
        if let Some(parent) = tx.moref(pool, path!(ResourcePool, "parent")).cloned() {
            tx.remove_ref(&parent, path!(ResourcePool, "resourcePool"), pool)?;
        }
        tx.set(pool, path!(ResourcePool, "parent"), to)?;
        tx.push_ref(to, path!(ResourcePool, "resourcePool"), pool)
    })
}

fn machines_below(state: &(impl Read + ?Sized), pool: &MoRef) -> Vec<MoRef> {
    let mut machines = Vec::new();
    let mut open = vec![pool.clone()];
    while let Some(pool) = open.pop() {
        machines.extend(state.morefs(&pool, path!(ResourcePool, "vm")));
        open.extend(state.morefs(&pool, path!(ResourcePool, "resourcePool")));
    }
    machines
}

/// The numbers are always up to date here.
fn refresh(_: &Service, _: &Call) -> Answer {
    Ok(None)
}
