//! Clusters: made, configured, asked where a machine would go.

use super::*;
use vimsim::object;

fn host_folder(sim: &Sim) -> MoRef {
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let snapshot = sim.snapshot();
    snapshot.moref(&datacenter, path!(Datacenter, "hostFolder")).expect("a folder").clone()
}

fn reconfigure(sim: &Sim, cluster: &MoRef, spec: Object) {
    let args = args![spec = spec, modify = true];
    sim.done(cluster, method::ReconfigureComputeResource_Task, args);
}

fn entries(sim: &Sim, cluster: &MoRef, list: &str) -> Vec<Object> {
    let path = path!(ComputeResource, "configurationEx");
    let snapshot = sim.snapshot();
    let config = snapshot.at(cluster, path).and_then(Value::as_object).expect("a configuration");
    let list = config.field(list).map_or(&[][..], Value::items);
    list.iter().map(|entry| entry.as_object().expect("an entry").clone()).collect()
}

#[test]
fn a_cluster_is_made_and_hosts_run_machines_in_it() {
    let sim = Sim::new();
    let folder = host_folder(&sim);
    let spec = object!(ClusterConfigSpecEx {
        drsConfig: object!(ClusterDrsConfigInfo { enabled: true, defaultVmBehavior: "manual" }),
    });
    let call = |folder: &MoRef| {
        let args = args![name = "new".to_owned(), spec = spec.clone()];
        sim.call(folder, method::CreateClusterEx, args)
    };
    let made = call(&folder).expect("a cluster");
    let cluster = made.as_ref().and_then(Value::as_moref).expect("a cluster").clone();
    assert_eq!(cluster.ty(), ty::ClusterComputeResource);
    assert_eq!(call(&folder).expect_err("a fault").ty(), ty::DuplicateName);
    assert_eq!(call(&sim.vm_folder()).expect_err("a fault").ty(), ty::NotSupported);
    let drs = path!(ClusterComputeResource, "configuration.drsConfig.defaultVmBehavior");
    assert_eq!(sim.text(&cluster, drs), "manual");
    let spec = object!(HostConnectSpec { hostName: "h9", userName: "root", password: "x" });
    let args = args![spec = spec, asConnected = true];
    let host = sim.done(&cluster, method::AddHost_Task, args).moref();
    assert_eq!(sim.snapshot().moref(&host, path!(HostSystem, "parent")), Some(&cluster));
    sim.done(&host, method::EnterMaintenanceMode_Task, args![timeout = 0]);
    sim.done(&cluster, method::Destroy_Task, args![]);
}

#[test]
fn a_cluster_is_configured_entry_by_entry() {
    let sim = Sim::new();
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    let (one, two) = (sim.vm("DC0_C0_RP0_VM0"), sim.vm("DC0_C0_RP0_VM1"));
    let host = sim.find(ty::HostSystem, "DC0_C0_H0");
    let rule = |name: &str| {
        object!(ClusterAntiAffinityRuleSpec { name: name, enabled: true, vm: [&one, &two] })
    };
    let group = object!(ClusterVmGroup { name: "vms", vm: [&one] });
    reconfigure(
        &sim,
        &cluster,
        object!(ClusterConfigSpecEx {
            dasConfig: object!(ClusterDasConfigInfo { enabled: true }),
            groupSpec: [
                object!(ClusterGroupSpec { operation: "add", info: group }),
                object!(ClusterGroupSpec {
                    operation: "add",
                    info: object!(ClusterHostGroup { name: "hosts", host: [&host] }),
                }),
            ],
            rulesSpec: [
                object!(ClusterRuleSpec { operation: "add", info: rule("a") }),
                object!(ClusterRuleSpec { operation: "add", info: rule("b") }),
            ],
            drsVmConfigSpec: [object!(ClusterDrsVmConfigSpec {
                operation: "add",
                info: object!(ClusterDrsVmConfigInfo { key: &one, enabled: false }),
            })],
        }),
    );
    let das = path!(ClusterComputeResource, "configuration.dasConfig.enabled");
    assert_eq!(sim.snapshot().at(&cluster, das), Some(&Value::Boolean(true)));
    let failover = path!(ClusterComputeResource, "configuration.dasConfig.failoverLevel");
    assert_eq!(sim.number(&cluster, failover), 1, "what is left out stays");
    let keys: Vec<_> =
        entries(&sim, &cluster, "rule").iter().map(|it| it.field("key").cloned()).collect();
    assert_eq!(keys, [Some(Value::Int(1)), Some(Value::Int(2))]);
    assert_eq!(entries(&sim, &cluster, "group").len(), 2);
    let remove = |key: i32| {
        object!(ClusterConfigSpecEx {
            rulesSpec: [object!(ClusterRuleSpec {
                operation: "remove",
                removeKey: Value::Int(key)
            })],
            groupSpec: [object!(ClusterGroupSpec {
                operation: "remove",
                removeKey: Value::from("vms"),
            })],
        })
    };
    reconfigure(&sim, &cluster, remove(1));
    assert_eq!(entries(&sim, &cluster, "rule").len(), 1);
    assert_eq!(entries(&sim, &cluster, "group").len(), 1);
    let args = args![spec = remove(1), modify = true];
    sim.fails(&cluster, method::ReconfigureComputeResource_Task, args, ty::InvalidArgument);
    // Not incrementally: what is left out is as in a new cluster.
    let args = args![spec = object!(ClusterConfigSpecEx {}), modify = false];
    sim.done(&cluster, method::ReconfigureComputeResource_Task, args);
    assert_eq!(entries(&sim, &cluster, "rule").len(), 0);
    assert_eq!(sim.snapshot().at(&cluster, das), Some(&Value::Boolean(false)));
}

#[test]
fn a_cluster_says_where_a_machine_would_go() {
    let sim = Sim::new();
    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    let only = sim.find(ty::HostSystem, "DC0_C0_H2");
    let spec = object!(PlacementSpec {
        placementType: "create",
        configSpec: object!(VirtualMachineConfigSpec { name: "n" }),
        hosts: [&only],
    });
    let answer =
        sim.call(&cluster, method::PlaceVm, args![placementSpec = spec]).expect("an answer");
    let answer = answer.as_ref().and_then(Value::as_object).expect("a result").clone();
    let first = answer.field("recommendations").expect("some").items()[0].clone();
    let action = first.as_object().expect("one").field("action").expect("some").items()[0].clone();
    let action = action.as_object().expect("one");
    assert_eq!(action.field("targetHost").and_then(Value::as_moref), Some(&only));
    let place = action.field("relocateSpec").and_then(Value::as_object).expect("a place");
    assert!(place.field("datastore").is_some() && place.field("pool").is_some());
    sim.done(&only, method::EnterMaintenanceMode_Task, args![timeout = 0]);
    let spec = object!(PlacementSpec {
        placementType: "create",
        configSpec: object!(VirtualMachineConfigSpec { name: "n" }),
        hosts: [&only],
    });
    sim.refused(&cluster, method::PlaceVm, args![placementSpec = spec], ty::NoCompatibleHost);
}
