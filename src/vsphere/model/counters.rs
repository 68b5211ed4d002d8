//! Performance counters.

use super::data::{DataError, rows};
use crate::object;
use crate::schema::ty;
use crate::value::{Array, EnumValue, Value};

/// `perfCounter` of the PerformanceManager: numbered from 1, as the table has them.
pub(super) fn counters() -> Result<Array, DataError> {
    let element = |key: &str, label: &str| {
        object!(ElementDescription { key: key, label: label, summary: label })
    };
    let mut counters = Vec::new();
    for (mut row, key) in rows(include_str!("data/counters.txt")).zip(1..) {
        let (group, name, unit) = (row.next(), row.next(), row.next());
        let (rollup, stats, level, label) = (row.next(), row.next(), row.next(), row.next());
        let level: i32 = level.parse().unwrap_or(4);
        let known = EnumValue::parse(ty::PerfSummaryType, rollup).is_some()
            && EnumValue::parse(ty::PerfStatsType, stats).is_some();
        if !known {
            return Err(DataError::in_table("counters.txt", key, rollup));
        }
        counters.push(Value::from(object!(PerfCounterInfo {
            key: key,
            nameInfo: element(name, label),
            groupInfo: element(group, group_label(group)),
            unitInfo: element(unit, unit_label(unit)),
            rollupType: rollup,
            statsType: stats,
            level: level,
            perDeviceLevel: level.max(3),
            associatedCounterId: Vec::<Value>::new(),
        })));
    }
    Ok(Array::new(ty::PerfCounterInfo, counters))
}

fn group_label(group: &str) -> &'static str {
    match group {
        "cpu" => "CPU",
        "mem" => "Memory",
        "disk" => "Disk",
        "net" => "Network",
        "sys" => "System",
        "rescpu" => "Resource group CPU",
        "datastore" => "Datastore",
        "power" => "Power",
        "virtualDisk" => "Virtual disk",
        "storageAdapter" => "Storage adapter",
        "storagePath" => "Storage path",
        "clusterServices" => "Cluster services",
        "vmop" => "Virtual machine operations",
        "hbr" => "vSphere Replication",
        "vcResources" => "vCenter resources",
        "gpu" => "GPU",
        _ => "Other",
    }
}

fn unit_label(unit: &str) -> &'static str {
    match unit {
        "percent" => "%",
        "kiloBytes" => "KB",
        "megaBytes" => "MB",
        "gigaBytes" => "GB",
        "megaHertz" => "MHz",
        "kiloBytesPerSecond" => "KBps",
        "millisecond" => "ms",
        "microsecond" => "µs",
        "second" => "s",
        "watt" => "W",
        "joule" => "J",
        "celsius" => "°C",
        _ => "num",
    }
}
