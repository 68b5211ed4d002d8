//! `ReconfigureComputeResource_Task`, `ReconfigureCluster_Task`: HA, DRS, rules
//! and groups of a cluster, and where a compute resource keeps swap files.
//!
//! Lists are changed entry by entry: one is added, edited or removed by its key.

use crate::engine::{Job, TaskContext, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::{Type, method, ty};
use crate::value::{Array, MoRef, Object, ObjectBuilder, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Entry, Handler};
use crate::vsphere::network::overlaid;
use crate::vsphere::operation::Operation;
use crate::vsphere::service::Service;
use crate::vsphere::{events, model};
use crate::{object, path};

pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::ComputeResource, method::ReconfigureComputeResource_Task, Handler::Task(reconfigure_ex)),
    (ty::ClusterComputeResource, method::ReconfigureCluster_Task, Handler::Task(reconfigure)),
];

fn reconfigure_ex(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(ReconfigureComputeResource_Task.spec))?.as_object();
    let modify = call.flag(arg!(ReconfigureComputeResource_Task.modify));
    plan(call, spec, modify)
}

fn reconfigure(_: &Service, call: &Call) -> Result<Operation, Fault> {
    let spec = call.required(arg!(ReconfigureCluster_Task.spec))?.as_object();
    plan(call, spec, call.flag(arg!(ReconfigureCluster_Task.modify)))
}

fn plan(call: &Call, spec: Option<&Object>, modify: bool) -> Result<Operation, Fault> {
    let spec = spec.ok_or_else(|| Fault::invalid_argument("spec"))?;
    if spec.ty().is_a(ty::ClusterConfigSpecEx) && !call.this.ty().is_a(ty::ClusterComputeResource) {
        return Err(Fault::invalid_argument("spec"));
    }
    Ok(Operation::new(Reconfigure { compute: call.this.clone(), spec: spec.clone(), modify }))
}

#[derive(Clone, Debug)]
struct Reconfigure {
    compute: MoRef,
    spec: Object,
    /// Whether what the specification leaves out stays as it is.
    modify: bool,
}

impl Job for Reconfigure {
    fn begin(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<(), Fault> {
        if tx.exists(&self.compute) { Ok(()) } else { Err(Fault::not_found(&self.compute)) }
    }

    fn complete(&mut self, tx: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        apply(tx, &self.compute, &self.spec, self.modify)?;
        Ok(None)
    }
}

/// The configuration of a new compute resource: HA and DRS are off.
pub(super) fn defaults(compute: &MoRef) -> Object {
    // Only the configuration counts; who else is named does not matter.
    let nobody = |of| MoRef::new(of, "");
    let properties = model::compute::compute_resource(&model::compute::NewCompute {
        mo: compute,
        name: "",
        parent: &nobody(ty::Folder),
        pool: &nobody(ty::ResourcePool),
        environment: &nobody(ty::EnvironmentBrowser),
    });
    let path = path!(ComputeResource, "configurationEx");
    let config = properties.at(path).and_then(Value::as_object).cloned();
    let config = config.unwrap_or_else(|| Object::empty(ty::ComputeResourceConfigInfo));
    let off = path!(ClusterConfigInfoEx, "drsConfig.enabled");
    if config.ty().is_a(ty::ClusterConfigInfoEx) {
        return config.with_at(off, false).unwrap_or(config);
    }
    config
}

/// How entries of a list are changed: the field of the specification, that of
/// the configuration, the entries' type, and the field that is their key.
const LISTS: [(&str, &str, Type, &str); 5] = [
    ("dasVmConfigSpec", "dasVmConfig", ty::ClusterDasVmConfigInfo, "key"),
    ("drsVmConfigSpec", "drsVmConfig", ty::ClusterDrsVmConfigInfo, "key"),
    ("dpmHostConfigSpec", "dpmHostConfig", ty::ClusterDpmHostConfigInfo, "key"),
    ("vmOrchestrationSpec", "vmOrchestration", ty::ClusterVmOrchestrationInfo, "vm"),
    ("groupSpec", "group", ty::ClusterGroupInfo, "name"),
];

/// What has another name in the configuration than in its specification.
const RENAMED: [(&str, &str); 2] =
    [("dpmConfig", "dpmConfigInfo"), ("vsanConfig", "vsanConfigInfo")];

/// Configures a compute resource as `spec` says, and tells.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    compute: &MoRef,
    spec: &Object,
    modify: bool,
) -> Result<(), Fault> {
    let path = path!(ComputeResource, "configurationEx");
    let before = tx.at(compute, path).and_then(Value::as_object).cloned();
    let before = before.ok_or_else(|| Fault::not_found(compute))?;
    let base = if modify { before.clone() } else { defaults(compute) };
    let mut next = base.edit();
    for (field, value) in spec.iter() {
        let renamed = RENAMED.iter().find(|(name, _)| *name == field.name());
        let name = renamed.map_or(field.name(), |(_, name)| name);
        let Some((slot, target)) = next.ty().field(name) else { continue };
        if !crate::value::object::fits(target, value) {
            continue;
        }
        match (next.get(slot), value) {
            (Some(Value::Object(now)), Value::Object(asked)) => {
                let laid = overlaid(now, asked);
                next.set(slot, laid);
            }
            _ => drop(next.set(slot, value)),
        }
    }
    if before.ty().is_a(ty::ClusterConfigInfoEx) {
        for (asked, held, of, key) in LISTS {
            change_list(&mut next, spec.field(asked), (held, of, key))?;
        }
        change_rules(tx, &mut next, spec.field("rulesSpec"))?;
    }
    let after = next.finish();
    check_members(tx, &after)?;
    tx.set(compute, path, &after)?;
    if compute.ty().is_a(ty::ClusterComputeResource) {
        // What older clients read is the same in other words.
        let mut old = ObjectBuilder::new(ty::ClusterConfigInfo);
        for (field, value) in after.iter() {
            if let Some((slot, _)) = ty::ClusterConfigInfo.field(field.name()) {
                old.set(slot, value);
            }
        }
        tx.set(compute, path!(ClusterComputeResource, "configuration"), old.finish())?;
        tell(tx, compute, &before, &after);
    }
    Ok(())
}

/// What `entry` says of one entry: the operation, the entry, the key to remove.
fn asked(spec: Option<&Value>) -> impl Iterator<Item = &Object> {
    spec.map_or(&[][..], Value::items).iter().filter_map(Value::as_object)
}

fn change_list(
    config: &mut ObjectBuilder,
    spec: Option<&Value>,
    (held, of, key): (&str, Type, &str),
) -> Result<(), Fault> {
    let Some((slot, _)) = config.ty().field(held) else { return Ok(()) };
    let mut list = config.get(slot).map_or(&[][..], Value::items).to_vec();
    for entry in asked(spec) {
        let info = entry.field("info").and_then(Value::as_object);
        let wanted = match entry.field("operation").and_then(word) {
            Some("remove") => entry.field("removeKey"),
            _ => info.and_then(|info| info.field(key)),
        };
        let wanted = wanted.ok_or_else(|| Fault::invalid_argument("spec"))?;
        let is_it = |held: &Value| held.as_object().and_then(|it| it.field(key)) == Some(wanted);
        let place = list.iter().position(is_it);
        edit(&mut list, entry, place, info.cloned())?;
    }
    config.set(slot, Array::new(of, list));
    Ok(())
}

/// Rules have numbers, which a new one gets.
fn change_rules(
    tx: &mut Tx<'_>,
    config: &mut ObjectBuilder,
    spec: Option<&Value>,
) -> Result<(), Fault> {
    let slot = const { ty::ClusterConfigInfoEx.slot("rule") };
    let mut list = config.get(slot).map_or(&[][..], Value::items).to_vec();
    let number = |rule: &Value| rule.as_object()?.field("key")?.as_i32();
    let name = |rule: &Value| Some(rule.as_object()?.field("name")?.as_str()?.to_owned());
    for entry in asked(spec) {
        let mut info = entry.field("info").and_then(Value::as_object).cloned();
        let place = match entry.field("operation").and_then(word) {
            Some("remove") => {
                let key = entry.field("removeKey").and_then(Value::as_i32);
                list.iter().position(|held| key.is_some() && number(held) == key)
            }
            Some("add") => {
                let asked = info.clone().map(Value::from).and_then(|info| name(&info));
                let key = list.iter().filter_map(number).max().unwrap_or_default() + 1;
                let uuid = tx.ids().uuid().hyphenated().to_string();
                info = info.map(|info| {
                    let info = info.with(const { ty::ClusterRuleInfo.slot("key") }, key);
                    info.with(const { ty::ClusterRuleInfo.slot("ruleUuid") }, uuid)
                });
                list.iter().position(|held| asked.is_some() && name(held) == asked)
            }
            _ => {
                let key = info.clone().map(Value::from).and_then(|info| number(&info));
                list.iter().position(|held| key.is_some() && number(held) == key)
            }
        };
        edit(&mut list, entry, place, info)?;
    }
    config.set(slot, Array::new(ty::ClusterRuleInfo, list));
    Ok(())
}

fn word(value: &Value) -> Option<&str> {
    match value {
        Value::Enum(word) => Some(word.as_str()),
        value => value.as_str(),
    }
}

/// Adds, edits or removes one entry, which stands at `place` if it is there.
fn edit(
    list: &mut Vec<Value>,
    entry: &Object,
    place: Option<usize>,
    info: Option<Object>,
) -> Result<(), Fault> {
    let operation = entry.field("operation").and_then(word);
    let info = || info.ok_or_else(|| Fault::invalid_argument("spec.info"));
    match (operation, place) {
        (Some("add"), None) => list.push(info()?.into()),
        (Some("edit"), Some(place)) => {
            let info = info()?;
            if let Some(held) = list.get_mut(place) {
                let laid = held.as_object().map_or(info.clone(), |held| overlaid(held, &info));
                *held = laid.into();
            }
        }
        (Some("remove"), Some(place)) => drop(list.remove(place)),
        _ => return Err(Fault::invalid_argument("spec.operation")),
    }
    Ok(())
}

/// Everything that a configuration names has to be there.
fn check_members(tx: &Tx<'_>, config: &Object) -> Result<(), Fault> {
    let lists = ["dasVmConfig", "drsVmConfig", "vmOrchestration", "group", "rule", "dpmHostConfig"];
    let entries = lists.iter().filter_map(|list| config.field(list)).flat_map(Value::items);
    for entry in entries.filter_map(Value::as_object) {
        let named = entry.iter().flat_map(|(_, value)| match value {
            Value::Ref(mo) => vec![mo.clone()],
            value => value.morefs().cloned().collect(),
        });
        if let Some(unknown) = named.into_iter().find(|mo| !tx.exists(mo)) {
            return Err(Fault::not_found(&unknown));
        }
    }
    Ok(())
}

/// What has become of a cluster.
fn tell(tx: &mut Tx<'_>, cluster: &MoRef, before: &Object, after: &Object) {
    let is_on = |config: &Object, path| config.at(path).and_then(Value::as_bool) == Some(true);
    let drs = path!(ClusterConfigInfoEx, "drsConfig.enabled");
    let das = path!(ClusterConfigInfoEx, "dasConfig.enabled");
    let changes = events::between(before, after);
    if is_on(after, drs) && !is_on(before, drs) {
        let behavior = after.at(path!(ClusterConfigInfoEx, "drsConfig.defaultVmBehavior"));
        let behavior = behavior.and_then(word).unwrap_or("fullyAutomated").to_owned();
        events::post(tx, cluster, object!(DrsEnabledEvent { behavior: behavior }));
    } else if is_on(before, drs) && !is_on(after, drs) {
        events::post(tx, cluster, object!(DrsDisabledEvent {}));
    }
    if is_on(after, das) && !is_on(before, das) {
        events::post(tx, cluster, object!(DasEnabledEvent {}));
    } else if is_on(before, das) && !is_on(after, das) {
        events::post(tx, cluster, object!(DasDisabledEvent {}));
    }
    events::post(tx, cluster, object!(ClusterReconfiguredEvent { configChanges: changes }));
}
