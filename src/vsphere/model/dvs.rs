//! Distributed switches and their port groups.

use super::entity::entity;
use super::{network, put};
use crate::object;
use crate::schema::ty;
use crate::value::{DateTime, MoRef, Object, Value};

/// The adapters of the hosts of the initial inventory that are uplinks.
const NICS: [&str; 2] = ["vmnic2", "vmnic3"];
/// The names of a switch's uplinks.
pub(super) const UPLINKS: [&str; 2] = ["Uplink 1", "Uplink 2"];
/// The ports that a port group starts with.
pub const PORTS: i32 = 8;

/// A distributed switch.
#[derive(Debug)]
pub struct Switch<'a> {
    /// Its reference.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// Its UUID.
    pub uuid: &'a str,
    /// The network folder that holds it.
    pub parent: &'a MoRef,
    /// The port group of its uplinks.
    pub uplinks: &'a MoRef,
    /// All of its port groups with their names, the uplinks' among them.
    pub portgroups: &'a [(MoRef, String)],
    /// The hosts that are members.
    pub hosts: &'a [MoRef],
    /// Its product version, as in `8.0.0`.
    pub version: &'a str,
    /// Now.
    pub now: DateTime,
}

/// The properties of a distributed switch.
pub fn switch(s: &Switch<'_>) -> Object {
    let mut switch = entity(ty::DistributedVirtualSwitch, s.name, Some(s.parent));
    let product = object!(DistributedVirtualSwitchProductSpec {
        name: "DVS",
        vendor: "VMware, Inc.",
        version: s.version,
        forwardingClass: "etherswitch",
    });
    let members: Vec<Object> = s
        .hosts
        .iter()
        .map(|host| member(host, s.uplinks, &NICS.map(str::to_owned), Some(&product)))
        .collect();
    let groups: Vec<&MoRef> = s.portgroups.iter().map(|(mo, _)| mo).collect();
    let names: Vec<&str> = s.portgroups.iter().map(|(_, name)| name.as_str()).collect();
    let ports = i32::try_from(s.portgroups.len().saturating_sub(1)).unwrap_or(i32::MAX) * PORTS
        + i32::try_from(s.hosts.len() * UPLINKS.len()).unwrap_or(i32::MAX);
    put!(
        switch,
        DistributedVirtualSwitch {
            uuid: s.uuid,
            capability: capability(),
            summary: object!(DVSSummary {
                name: s.name,
                uuid: s.uuid,
                numPorts: ports,
                productInfo: &product,
                hostMember: s.hosts,
                vm: Vec::<Value>::new(),
                host: s.hosts,
                portgroupName: names,
                description: "",
                contact: object!(DVSContactInfo { name: "", contact: "" }),
                numHosts: i64::try_from(s.hosts.len()).unwrap_or_default(),
            }),
            config: object!(VMwareDVSConfigInfo {
                uuid: s.uuid,
                name: s.name,
                numStandalonePorts: 0,
                numPorts: ports,
                maxPorts: i32::MAX,
                uplinkPortPolicy: object!(DVSNameArrayUplinkPortPolicy { uplinkPortName: UPLINKS }),
                uplinkPortgroup: [s.uplinks],
                defaultPortConfig: port_setting(0, false),
                host: members,
                productInfo: &product,
                policy: object!(DVSPolicy {
                    autoPreInstallAllowed: false,
                    autoUpgradeAllowed: false,
                    partialUpgradeAllowed: false,
                }),
                description: "",
                configVersion: "1",
                contact: object!(DVSContactInfo { name: "", contact: "" }),
                createTime: s.now,
                networkResourceManagementEnabled: true,
                defaultProxySwitchMaxNumPorts: i32::MAX,
                healthCheckConfig: health_checks(),
                networkResourceControlVersion: "version3",
                pnicCapacityRatioForReservation: 75,
                pvlanConfig: Vec::<Value>::new(),
                maxMtu: 1500,
                linkDiscoveryProtocolConfig: object!(LinkDiscoveryProtocolConfig {
                    protocol: "cdp",
                    operation: "listen",
                }),
                ipfixConfig: object!(VMwareIpfixConfig {
                    collectorIpAddress: "",
                    collectorPort: 0,
                    observationDomainId: 0,
                    activeFlowTimeout: 60,
                    idleFlowTimeout: 15,
                    samplingRate: 4096,
                    internalFlowsOnly: false,
                }),
                lacpApiVersion: "multipleLag",
                multicastFilteringMode: "legacyFiltering",
            }),
            networkResourcePool: Vec::<Value>::new(),
            portgroup: groups,
            runtime: object!(DVSRuntimeInfo { hostMemberRuntime: member_states(s.hosts) }),
        }
    );
    switch.finish()
}

/// A host as a member of a switch, with those of its adapters that are uplinks.
pub(super) fn member(
    host: &MoRef,
    uplinks: &MoRef,
    nics: &[String],
    product: Option<&Object>,
) -> Object {
    let pnics = uplink_nics(uplinks, nics);
    object!(DistributedVirtualSwitchHostMember {
        runtimeState: object!(DistributedVirtualSwitchHostMemberRuntimeState {
            currentMaxProxySwitchPorts: 9216,
        }),
        config: object!(DistributedVirtualSwitchHostMemberConfigInfo {
            host: host,
            maxProxySwitchPorts: 9216,
            backing: object!(DistributedVirtualSwitchHostMemberPnicBacking { pnicSpec: pnics }),
        }),
        productInfo: product,
        status: "up",
    })
}

/// The adapters of a member that are the switch's uplinks.
fn uplink_nics(uplinks: &MoRef, nics: &[String]) -> Vec<Object> {
    let nics = nics.iter().zip(0..);
    nics.map(|(device, port): (_, i32)| {
        object!(DistributedVirtualSwitchHostMemberPnicSpec {
            pnicDevice: device.as_str(),
            uplinkPortKey: port.to_string(),
            uplinkPortgroupKey: uplinks.id(),
            connectionCookie: 0,
        })
    })
    .collect()
}

/// What a switch says of its members' state.
pub(super) fn member_states(hosts: &[MoRef]) -> Vec<Object> {
    let state = |host| object!(HostMemberRuntimeInfo { host: host, status: "up" });
    hosts.iter().map(state).collect()
}

/// A member's own view of a switch, in `config.network.proxySwitch`.
pub fn proxy_switch(name: &str, uuid: &str, uplinks: &MoRef) -> Object {
    proxy_switch_with(name, uuid, uplinks, &NICS.map(str::to_owned))
}

/// The same of a member with other uplinks.
pub(super) fn proxy_switch_with(
    name: &str,
    uuid: &str,
    uplinks: &MoRef,
    nics: &[String],
) -> Object {
    let ports = UPLINKS
        .iter()
        .zip(0..)
        .map(|(name, port): (_, i32)| object!(KeyValue { key: port.to_string(), value: *name }));
    let pnics: Vec<String> =
        nics.iter().map(|nic| format!("key-vim.host.PhysicalNic-{nic}")).collect();
    let backing = object!(DistributedVirtualSwitchHostMemberPnicBacking {
        pnicSpec: uplink_nics(uplinks, nics)
    });
    object!(HostProxySwitch {
        dvsUuid: uuid,
        dvsName: name,
        key: format!("key-vim.host.ProxySwitch-{uuid}"),
        numPorts: 9216,
        configNumPorts: 9216,
        numPortsAvailable: 9205,
        uplinkPort: ports.collect::<Vec<_>>(),
        mtu: 1500,
        pnic: pnics,
        spec: object!(HostProxySwitchSpec { backing: backing }),
        networkReservationSupported: true,
        nsxtEnabled: false,
        ensEnabled: false,
    })
}

/// A port group of a distributed switch.
#[derive(Debug)]
pub struct PortGroup<'a> {
    /// Its reference; the id is the key.
    pub mo: &'a MoRef,
    /// Its name.
    pub name: &'a str,
    /// The network folder that holds it.
    pub parent: &'a MoRef,
    /// The switch.
    pub switch: &'a MoRef,
    /// Whether the ports are the switch's uplinks.
    pub uplink: bool,
    /// The first of its ports.
    pub first_port: i32,
    /// How many ports there are.
    pub ports: i32,
    /// The NSX segment behind it, if there is one.
    pub segment: Option<&'a str>,
}

/// The properties of a port group.
pub fn portgroup(p: &PortGroup<'_>) -> Object {
    let mut group = entity(ty::DistributedVirtualPortgroup, p.name, Some(p.parent));
    let keys = (p.first_port..p.first_port.saturating_add(p.ports)).map(|port| port.to_string());
    let flags = object!(VMwareDVSPortgroupPolicy {
        blockOverrideAllowed: true,
        shapingOverrideAllowed: false,
        vendorConfigOverrideAllowed: false,
        livePortMovingAllowed: false,
        portConfigResetAtDisconnect: true,
        networkResourcePoolOverrideAllowed: false,
        trafficFilterOverrideAllowed: false,
        vlanOverrideAllowed: false,
        uplinkTeamingOverrideAllowed: false,
        securityPolicyOverrideAllowed: false,
        ipfixOverrideAllowed: false,
        macManagementOverrideAllowed: false,
    });
    put!(
        group,
        DistributedVirtualPortgroup {
            summary: network::summary(p.mo, p.name),
            host: Vec::<Value>::new(),
            vm: Vec::<Value>::new(),
            key: p.mo.id(),
            config: object!(DVPortgroupConfigInfo {
                key: p.mo.id(),
                name: p.name,
                numPorts: p.ports,
                distributedVirtualSwitch: p.switch,
                defaultPortConfig: port_setting(0, p.uplink),
                description: "",
                type: "earlyBinding",
                backingType: if p.segment.is_some() { "nsx" } else { "standard" },
                policy: flags,
                scope: Vec::<Value>::new(),
                configVersion: "0",
                autoExpand: !p.uplink,
                vmVnicNetworkResourcePoolKey: "-1",
                uplink: p.uplink,
                logicalSwitchUuid: p.segment,
                segmentId: p.segment.map(|id| format!("/infra/segments/{id}")),
            }),
            portKeys: keys.collect::<Vec<_>>(),
        }
    );
    group.finish()
}

fn flag(value: bool) -> Object {
    object!(BoolPolicy { inherited: false, value: value })
}

fn text(value: &str) -> Object {
    object!(StringPolicy { inherited: false, value: value })
}

fn shaping() -> Object {
    let rate = |value: i64| object!(LongPolicy { inherited: false, value: value });
    object!(DVSTrafficShapingPolicy {
        inherited: false,
        enabled: flag(false),
        averageBandwidth: rate(100_000_000),
        peakBandwidth: rate(100_000_000),
        burstSize: rate(104_857_600),
    })
}

/// How ports are set unless they say otherwise; uplinks carry every VLAN.
fn port_setting(vlan: i32, uplink: bool) -> Object {
    let vlan = if uplink {
        object!(VmwareDistributedVirtualSwitchTrunkVlanSpec {
            inherited: false,
            vlanId: [object!(NumericRange { start: 0, end: 4094 })],
        })
    } else {
        object!(VmwareDistributedVirtualSwitchVlanIdSpec { inherited: false, vlanId: vlan })
    };
    object!(VMwareDVSPortSetting {
        blocked: flag(false),
        vmDirectPathGen2Allowed: flag(false),
        inShapingPolicy: shaping(),
        outShapingPolicy: shaping(),
        vendorSpecificConfig: object!(DVSVendorSpecificConfig { inherited: false }),
        networkResourcePoolKey: text("-1"),
        filterPolicy: object!(DvsFilterPolicy { inherited: false }),
        vlan: vlan,
        qosTag: object!(IntPolicy { inherited: false, value: -1 }),
        uplinkTeamingPolicy: object!(VmwareUplinkPortTeamingPolicy {
            inherited: false,
            policy: text("loadbalance_srcid"),
            reversePolicy: flag(true),
            notifySwitches: flag(true),
            rollingOrder: flag(false),
            failureCriteria: object!(DVSFailureCriteria {
                inherited: false,
                checkSpeed: text("minimum"),
                speed: object!(IntPolicy { inherited: false, value: 10 }),
                checkDuplex: flag(false),
                fullDuplex: flag(false),
                checkErrorPercent: flag(false),
                percentage: object!(IntPolicy { inherited: false, value: 0 }),
                checkBeacon: flag(false),
            }),
            uplinkPortOrder: object!(VMwareUplinkPortOrderPolicy {
                inherited: false,
                activeUplinkPort: UPLINKS,
                standbyUplinkPort: Vec::<Value>::new(),
            }),
        }),
        securityPolicy: object!(DVSSecurityPolicy {
            inherited: false,
            allowPromiscuous: flag(false),
            macChanges: flag(false),
            forgedTransmits: flag(false),
        }),
        ipfixEnabled: flag(false),
        txUplink: flag(false),
        macManagementPolicy: object!(DVSMacManagementPolicy {
            inherited: false,
            allowPromiscuous: false,
            macChanges: false,
            forgedTransmits: false,
        }),
    })
}

fn health_checks() -> Vec<Object> {
    vec![
        object!(VMwareDVSVlanMtuHealthCheckConfig { enable: false, interval: 1 }),
        object!(VMwareDVSTeamingHealthCheckConfig { enable: false, interval: 1 }),
    ]
}

fn capability() -> Object {
    let resources = object!(DVSNetworkResourceManagementCapability {
        networkResourceManagementSupported: true,
        networkResourcePoolHighShareValue: 100,
        qosSupported: true,
        userDefinedNetworkResourcePoolsSupported: true,
        networkResourceControlVersion3Supported: true,
        userDefinedInfraTrafficPoolSupported: false,
    });
    object!(DVSCapability {
        dvsOperationSupported: true,
        dvPortGroupOperationSupported: true,
        dvPortOperationSupported: true,
        compatibleHostComponentProductInfo: ["8.0.0", "7.0.0"].map(|version| {
            object!(DistributedVirtualSwitchHostProductSpec {
                productLineId: "embeddedEsx",
                version: version,
            })
        }),
        featuresSupported: object!(VMwareDVSFeatureCapability {
            networkResourceManagementSupported: true,
            vmDirectPathGen2Supported: true,
            nicTeamingPolicy: [
                "loadbalance_ip",
                "loadbalance_srcmac",
                "loadbalance_srcid",
                "failover_explicit",
                "loadbalance_loadbased",
            ],
            networkResourcePoolHighShareValue: 100,
            networkResourceManagementCapability: resources,
            healthCheckCapability: object!(VMwareDVSHealthCheckCapability {
                vlanMtuSupported: true,
                teamingSupported: true,
            }),
            rollbackCapability: object!(DVSRollbackCapability { rollbackSupported: true }),
            backupRestoreCapability: object!(DVSBackupRestoreCapability {
                backupRestoreSupported: true,
            }),
            networkFilterSupported: true,
            macLearningSupported: true,
            vspanSupported: true,
            lldpSupported: true,
            ipfixSupported: true,
            multicastSnoopingSupported: true,
            nsxSupported: true,
            mtuCapability: object!(VMwareDvsMtuCapability {
                minMtuSupported: 1280,
                maxMtuSupported: 9190,
            }),
        }),
    })
}
