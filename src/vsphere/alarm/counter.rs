//! The numbers that alarms watch: what `quickStats` and the hardware say of an
//! entity at the moment.
//!
//! | counter | of | in |
//! | --- | --- | --- |
//! | `cpu.usage`, `mem.usage` (average) | machine, host, cluster | hundredths of a percent |
//! | `cpu.usagemhz` (average) | machine, host, cluster, pool | MHz |
//! | `mem.consumed` (average) | machine, host, cluster, pool | KB |
//! | `mem.active` (average) | machine, host | KB |
//!
//! These change with what happens in the inventory, and only then, so an alarm
//! notices every change. All other counters are accepted and stay gray: their
//! series are made up when they are read. Of a machine that does not run and of
//! a host that is not connected, no number is known.

use crate::fault::Fault;
use crate::inventory::{Read, Snapshot};
use crate::path;
use crate::schema::{StaticPath, Type, ty};
use crate::value::{MoRef, Value};
use crate::vsphere::performance;

/// A counter that has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counter {
    group: &'static str,
    name: &'static str,
    on: &'static [Type],
}

const MACHINE_TO_CLUSTER: &[Type] =
    &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource];
const ALL: &[Type] =
    &[ty::VirtualMachine, ty::HostSystem, ty::ClusterComputeResource, ty::ResourcePool];

const COUNTERS: &[Counter] = &[
    Counter { group: "cpu", name: "usage", on: MACHINE_TO_CLUSTER },
    Counter { group: "mem", name: "usage", on: MACHINE_TO_CLUSTER },
    Counter { group: "cpu", name: "usagemhz", on: ALL },
    Counter { group: "mem", name: "consumed", on: ALL },
    Counter { group: "mem", name: "active", on: &[ty::VirtualMachine, ty::HostSystem] },
];

impl Counter {
    /// One in MHz.
    #[cfg(test)]
    pub(super) const MHZ: Self = Self { group: "cpu", name: "usagemhz", on: ALL };
    /// One in hundredths of a percent.
    #[cfg(test)]
    pub(super) const SHARE: Self = Self { group: "cpu", name: "usage", on: MACHINE_TO_CLUSTER };

    /// The counter with a number in the server's list; nothing if it has no
    /// number here.
    pub(super) fn read(state: &Snapshot, id: i32) -> Result<Option<Self>, Fault> {
        let service = MoRef::new(ty::ServiceInstance, "ServiceInstance");
        let manager = state.moref(&service, path!(ServiceInstance, "content.perfManager"));
        let list = manager.and_then(|mo| state.at(mo, path!(PerformanceManager, "perfCounter")));
        let mut all =
            list.map(Value::items).unwrap_or_default().iter().filter_map(Value::as_object);
        let known = all
            .find(|it| it.at(path!(PerfCounterInfo, "key")).and_then(Value::as_i32) == Some(id))
            .ok_or_else(|| Fault::invalid_argument("spec.expression.metric.counterId"))?;
        let text = |path| known.at(path).and_then(Value::as_str).unwrap_or_default();
        if text(path!(PerfCounterInfo, "rollupType")) != "average" {
            return Ok(None);
        }
        let group = text(path!(PerfCounterInfo, "groupInfo.key"));
        let name = text(path!(PerfCounterInfo, "nameInfo.key"));
        Ok(COUNTERS.iter().find(|it| it.group == group && it.name == name).copied())
    }

    /// What it says of an entity now.
    pub(super) fn of(self, state: &(impl Read + ?Sized), entity: &MoRef) -> Option<i64> {
        let is = |path: &StaticPath, wanted| {
            let value = state.properties(entity).and_then(|properties| properties.value(path));
            value.as_ref().and_then(Value::as_str) == Some(wanted)
        };
        let of = entity.ty();
        let known = if of.is_a(ty::VirtualMachine) {
            is(path!(VirtualMachine, "runtime.powerState"), "poweredOn")
                && is(path!(VirtualMachine, "runtime.connectionState"), "connected")
        } else if of.is_a(ty::HostSystem) {
            is(path!(HostSystem, "runtime.connectionState"), "connected")
        } else {
            true
        };
        if !known || !self.on.iter().any(|on| of.is_a(*on)) {
            return None;
        }
        performance::level(state, entity, self.group, self.name)
    }

    /// How much further than a bound is too far, by a tolerance in hundredths
    /// of a percent: of what is a percentage itself, so many points; of others,
    /// that part of the bound.
    pub(super) fn margin(self, bound: i64, tolerance: i64) -> i64 {
        if self.name == "usage" {
            tolerance
        } else {
            bound.saturating_abs().saturating_mul(tolerance) / 10_000
        }
    }
}
