//! What administrators set up around machines: custom fields, options, hosts'
//! connections and services.

use super::*;

fn fields_manager() -> MoRef {
    MoRef::new(ty::CustomFieldsManager, "CustomFieldsManager")
}

#[test]
fn custom_fields_are_defined_and_set() {
    let sim = Sim::new();
    let manager = fields_manager();
    let vm = sim.vm("DC0_H0_VM0");
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let add = |name: &'static str| {
        let args = args![name = name, moType = "VirtualMachine"];
        sim.call(&manager, method::AddCustomFieldDef, args)
    };
    let field = add("owner").expect("a field").expect("a field");
    let field = field.as_object().expect("an object").clone();
    let key = field.at(path!(CustomFieldDef, "key")).and_then(Value::as_i32).expect("a key");
    assert_eq!(add("owner").expect_err("a fault").ty(), ty::DuplicateName);
    let args = args![name = "x", moType = "Task"];
    sim.refused(&manager, method::AddCustomFieldDef, args, ty::InvalidArgument);

    let set = |entity: &MoRef, key: i32| {
        let args = args![entity = entity.clone(), key = key, value = "me"];
        sim.call(&manager, method::SetField, args)
    };
    set(&vm, key).expect("set");
    let held = |path| sim.snapshot().at(&vm, path).map_or(0, |it| it.items().len());
    assert_eq!(held(path!(VirtualMachine, "customValue")), 1);
    assert_eq!(held(path!(VirtualMachine, "summary.customValue")), 1);
    assert_eq!(set(&host, key).expect_err("a fault").ty(), ty::InvalidArgument);
    assert_eq!(set(&vm, key + 1).expect_err("a fault").ty(), ty::InvalidArgument);

    sim.call(&manager, method::RenameCustomFieldDef, args![key = key, name = "team"])
        .expect("renamed");
    sim.call(&vm, method::setCustomValue, args![key = "team", value = "you"]).expect("set");
    assert_eq!(held(path!(VirtualMachine, "value")), 1);

    sim.call(&manager, method::RemoveCustomFieldDef, args![key = key]).expect("removed");
    assert_eq!(held(path!(VirtualMachine, "value")), 0);
    assert_eq!(held(path!(VirtualMachine, "summary.customValue")), 0);
    sim.refused(&manager, method::RemoveCustomFieldDef, args![key = key], ty::InvalidArgument);
}

#[test]
fn options_are_asked_for_and_changed() {
    use vimsim::object;
    let sim = Sim::new();
    let settings = MoRef::new(ty::OptionManager, "VpxSettings");
    let query = |manager: &MoRef, name: &'static str| {
        let found = sim.call(manager, method::QueryOptions, args![name = name]);
        found.map(|found| found.expect("options").items().to_vec())
    };
    assert!(query(&settings, "event.").expect("options").len() > 1);
    assert_eq!(query(&settings, "event.maxAge").expect("an option").len(), 1);
    assert_eq!(query(&settings, "event").expect_err("a fault").ty(), ty::InvalidName);
    let update = |manager: &MoRef, key: &str, value: Value| {
        let change = object!(OptionValue { key: key, value: value });
        sim.call(manager, method::UpdateOptions, args![changedValue = vec![change]])
    };
    update(&settings, "event.maxAge", 7.into()).expect("changed");
    let age = query(&settings, "event.maxAge").expect("an option");
    let age = age[0].as_object().and_then(|it| it.at(path!(OptionValue, "value"))?.as_i64());
    assert_eq!(age, Some(7));
    update(&settings, "my.own", "x".into()).expect("added");
    assert_eq!(query(&settings, "my.own").expect("an option").len(), 1);
    let wrong = update(&settings, "event.maxAge", "x".into()).expect_err("a fault");
    assert_eq!(wrong.ty(), ty::InvalidArgument);

    let host = sim.find(ty::HostSystem, "DC0_H0");
    let snapshot = sim.snapshot();
    let manager = path!(HostSystem, "configManager.advancedOption");
    let manager = snapshot.moref(&host, manager).expect("a manager");
    update(manager, "NFS.MaxVolumes", 64.into()).expect("changed");
    assert_eq!(query(manager, "NFS.MaxVolumes").expect("an option").len(), 1);
    let wrong = update(manager, "NoSuchGroup.x", 1.into()).expect_err("a fault");
    assert_eq!(wrong.ty(), ty::InvalidName);
    agreement::check(&sim.snapshot());
}

#[test]
fn hosts_are_disconnected_and_come_back() {
    let sim = Sim::new();
    let (host, vm) = (sim.find(ty::HostSystem, "DC0_H0"), sim.vm("DC0_H0_VM0"));
    let state = path!(HostSystem, "summary.runtime.connectionState");
    let machine = path!(VirtualMachine, "summary.runtime.connectionState");
    sim.fails(&host, method::ReconnectHost_Task, args![], ty::InvalidState);
    sim.done(&host, method::DisconnectHost_Task, args![]);
    assert_eq!((sim.text(&host, state), sim.text(&vm, machine)).0, "disconnected");
    assert_eq!(sim.text(&vm, machine), "disconnected");
    sim.fails(&host, method::RebootHost_Task, args![force = true], ty::HostNotConnected);
    sim.done(&host, method::ReconnectHost_Task, args![]);
    assert_eq!(sim.text(&host, state), "connected");
    assert_eq!(sim.text(&vm, machine), "connected");
    sim.fails(&host, method::RebootHost_Task, args![force = false], ty::InvalidState);
    sim.done(&host, method::ShutdownHost_Task, args![force = true]);
    assert_eq!(sim.text(&host, state), "notResponding");
    assert_eq!(sim.text(&vm, path!(VirtualMachine, "runtime.powerState")), "poweredOff");
}

#[test]
fn services_of_hosts_start_and_stop() {
    let sim = Sim::new();
    let host = sim.find(ty::HostSystem, "DC0_H0");
    let snapshot = sim.snapshot();
    let manager = snapshot.moref(&host, path!(HostSystem, "configManager.serviceSystem"));
    let manager = manager.expect("a manager");
    let ssh = |id: &'static str, method| sim.call(manager, method, args![id = id]);
    ssh("TSM-SSH", method::StartService).expect("started");
    let again = ssh("TSM-SSH", method::StartService).expect_err("a fault");
    assert_eq!(again.ty(), ty::InvalidState);
    ssh("TSM-SSH", method::StopService).expect("stopped");
    let unknown = ssh("nothing", method::RestartService).expect_err("a fault");
    assert_eq!(unknown.ty(), ty::NotFound);
    let policy = args![id = "TSM-SSH", policy = "on"];
    sim.call(manager, method::UpdateServicePolicy, policy).expect("changed");
    let policy = args![id = "TSM-SSH", policy = "often"];
    sim.refused(manager, method::UpdateServicePolicy, policy, ty::InvalidArgument);
    agreement::check(&sim.snapshot());
}

#[test]
fn hosts_join_and_leave() {
    use vimsim::object;
    let sim = Sim::new();
    let datacenter = sim.find(ty::Datacenter, "DC0");
    let snapshot = sim.snapshot();
    let folder = snapshot.moref(&datacenter, path!(Datacenter, "hostFolder")).expect("a folder");
    let spec = |name: &str| object!(HostConnectSpec { hostName: name, force: false });
    let args = args![spec = spec("new.example.com"), addConnected = true];
    let compute = sim.done(folder, method::AddStandaloneHost_Task, args).moref();
    assert_eq!(compute.ty(), ty::ComputeResource);
    assert_eq!(sim.number(&compute, path!(ComputeResource, "summary.numEffectiveHosts")), 1);
    let host = sim.find(ty::HostSystem, "new.example.com");

    let cluster = sim.find(ty::ClusterComputeResource, "DC0_C0");
    let args = args![spec = spec("new.example.com"), asConnected = true];
    sim.fails(&cluster, method::AddHost_Task, args, ty::DuplicateName);
    let args = args![spec = spec(""), asConnected = true];
    sim.refused(&cluster, method::AddHost_Task, args, ty::InvalidArgument);
    let args = args![spec = spec("other"), asConnected = false];
    let other = sim.done(&cluster, method::AddHost_Task, args).moref();
    assert_eq!(sim.number(&cluster, path!(ComputeResource, "summary.numHosts")), 4);
    assert_eq!(sim.text(&other, path!(HostSystem, "runtime.connectionState")), "disconnected");
    sim.done(&other, method::ReconnectHost_Task, args![]);
    assert_eq!(sim.number(&cluster, path!(ComputeResource, "summary.numEffectiveHosts")), 4);

    // A machine of the cluster can move there.
    let vm = sim.vm("DC0_C0_RP0_VM0");
    let args = args![host = other.clone(), priority = "defaultPriority"];
    let moved = sim.run(&vm, method::MigrateVM_Task, args).expect("a task");
    // Its port group is not on the new host.
    assert_eq!(moved.state, "error");

    sim.done(&other, method::DisconnectHost_Task, args![]);
    sim.done(&other, method::Destroy_Task, args![]);
    sim.done(&compute, method::Destroy_Task, args![]);
    assert!(!sim.snapshot().exists(&host));
}

#[test]
fn performance_is_measured() {
    use vimsim::object;
    let sim = Sim::new();
    let manager = MoRef::new(ty::PerformanceManager, "PerfMgr");
    let vm = sim.vm("DC0_H0_VM0");
    let ask = |method, args: &[Named]| sim.call(&manager, method, args).map(Option::unwrap);
    let ids = ask(method::QueryAvailablePerfMetric, args![entity = vm.clone()]).expect("counters");
    assert!(ids.items().len() > 5);
    let spec = |interval: i32, format: &'static str| {
        vec![object!(PerfQuerySpec {
            entity: vm.clone(),
            intervalId: interval,
            maxSample: 3,
            format: format,
        })]
    };
    let series =
        |interval, format| ask(method::QueryPerf, args![querySpec = spec(interval, format)]);
    let first = series(20, "normal").expect("series");
    assert_eq!(first, series(20, "normal").expect("series"));
    let metric = first.items()[0].as_object().expect("an object").clone();
    assert_eq!(metric.at(path!(PerfEntityMetric, "sampleInfo")).expect("samples").items().len(), 3);
    let all = metric.at(path!(PerfEntityMetric, "value")).expect("values");
    assert_eq!(all.items().len(), ids.items().len());
    for counter in all.items() {
        let values = counter.as_object().and_then(|it| it.at(path!(PerfMetricIntSeries, "value")));
        assert_eq!(values.expect("values").items().len(), 3);
    }
    let csv = series(300, "csv").expect("series");
    assert_eq!(csv.items()[0].ty(), ty::PerfEntityMetricCSV);
    assert_eq!(series(7, "normal").expect_err("a fault").ty(), ty::InvalidArgument);
    // What does not run has no current numbers.
    sim.done(&vm, method::PowerOffVM_Task, args![]);
    let none = series(20, "normal").expect("series");
    let none = none.items()[0].as_object().expect("an object").clone();
    assert!(none.at(path!(PerfEntityMetric, "sampleInfo")).expect("samples").items().is_empty());
}

#[test]
fn customization_specs_are_kept() {
    use vimsim::object;
    let sim = Sim::new();
    let manager = MoRef::new(ty::CustomizationSpecManager, "CustomizationSpecManager");
    let info = object!(CustomizationSpecInfo { name: "lin", description: "", type: "Linux" });
    let item = object!(CustomizationSpecItem {
        info: info,
        spec: object!(CustomizationSpec {
            identity: object!(CustomizationLinuxPrep { domain: "example.com" }),
            globalIPSettings: object!(CustomizationGlobalIPSettings {}),
        }),
    });
    let create = || sim.call(&manager, method::CreateCustomizationSpec, args![item = item.clone()]);
    create().expect("created");
    assert_eq!(create().expect_err("a fault").ty(), ty::AlreadyExists);
    let listed = || {
        let list = path!(CustomizationSpecManager, "info");
        sim.snapshot().at(&manager, list).map_or(0, |it| it.items().len())
    };
    assert_eq!(listed(), 1);
    let found = sim.call(&manager, method::GetCustomizationSpec, args![name = "lin"]);
    let found = found.expect("an answer").expect("a spec");
    assert_eq!(found.as_object().expect("a spec").field("spec"), item.field("spec"));
    let version = path!(CustomizationSpecItem, "info.changeVersion");
    let newer = found.as_object().expect("a spec").clone();
    let described = path!(CustomizationSpecItem, "info.description");
    let newer = newer.with_at(described, "new").expect("a field");
    let overwrite = |item: &Object| {
        sim.call(&manager, method::OverwriteCustomizationSpec, args![item = item.clone()])
    };
    overwrite(&newer).expect("overwritten");
    assert_eq!(listed(), 1);
    assert_eq!(overwrite(&newer).expect_err("a fault").ty(), ty::ConcurrentAccess);
    let found = sim.call(&manager, method::GetCustomizationSpec, args![name = "lin"]);
    let found = found.expect("an answer").expect("a spec");
    let found = found.as_object().expect("a spec");
    assert_eq!(found.at(described), Some(&Value::from("new")));
    assert_ne!(found.at(version), newer.at(version));
    sim.call(&manager, method::DeleteCustomizationSpec, args![name = "lin"]).expect("deleted");
    assert_eq!(listed(), 0);
    sim.refused(&manager, method::GetCustomizationSpec, args![name = "lin"], ty::NotFound);
}
