//! Every error code, provoked once.

use std::time::Duration;

use serde_json::{Value as Json, json};
use vimsim::config::Access;
use vimsim::engine::{Busy, Job, TaskContext, TaskSpec, Tx};
use vimsim::fault::Fault;
use vimsim::schema::ty;
use vimsim::task::Operation;
use vimsim::value::{MoRef, Str, Value};

use super::world::World;

/// A session in a world.
struct Client<'w> {
    world: &'w World,
    session: String,
}

impl Client<'_> {
    async fn of(world: &World) -> Client<'_> {
        Client { world, session: world.login().await }
    }

    async fn ok(&self, method: &str, params: Json) -> Json {
        let answer = self.world.call(&self.session, method, params).await;
        answer.unwrap_or_else(|failure| panic!("{method}: {failure:?}"))
    }

    async fn fails(&self, method: &str, params: Json, expected: &[&str]) {
        let failure = self.world.call(&self.session, method, params).await;
        let failure = failure.expect_err(method);
        assert_eq!(failure.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{method}");
    }

    async fn vm(&self, name: &str) -> String {
        let found = self.ok("VM.get_by_name_label", json!([name])).await;
        found[0].as_str().expect("a machine").to_owned()
    }
}

const VM: &str = "DC0_H0_VM0";

fn slow(world_delays: &mut vimsim::Config) {
    world_delays.delays.methods =
        ["PowerOnVM", "PowerOffVM"].map(|name| (name.to_owned(), Duration::from_secs(60))).into();
}

#[tokio::test]
async fn of_requests() {
    let world = World::start().await;
    let client = Client::of(&world).await;
    let session = client.session.as_str();
    for name in ["VM.fly", "VM", "VM_fly", "", "Async.VM.fly", "Async.VM_start", "vm.start"] {
        client.fails(name, json!([]), &["MESSAGE_METHOD_UNKNOWN", name]).await;
        // Without an argument nobody asks for the session.
        let bare = world.raw(name, json!([])).await;
        assert_eq!(bare, Err(vec!["MESSAGE_METHOD_UNKNOWN".into(), name.to_owned()]));
    }
    let invalid = world.raw("VM.fly", json!(["OpaqueRef:x"])).await;
    assert_eq!(invalid, Err(vec!["SESSION_INVALID".into(), "OpaqueRef:x".into()]));
    let count = "MESSAGE_PARAMETER_COUNT_MISMATCH";
    client.fails("Async.VM.start", json!(["a"]), &[count, "VM.start", "3", "1"]).await;
    client.fails("VM_start", json!([]), &[count, "VM.start", "3", "0"]).await;
    client.fails("VM.get_all", json!([1]), &[count, "VM.get_all", "0", "1"]).await;
    let few = world.raw("session.login_with_password", json!(["root"])).await;
    let few = few.expect_err("a password is needed");
    assert_eq!(few, [count, "session.login_with_password", "2", "1"]);
    // The count comes before the session, the types too.
    let early = world.raw("VM.get_record", json!(["nobody"])).await.expect_err("a count");
    assert_eq!(early, [count, "VM.get_record", "1", "0"]);
    let early = world.raw("VM.get_record", json!(["nobody", 5])).await.expect_err("a type");
    assert_eq!(early[0], "INTERNAL_ERROR");
    for (method, params) in [
        ("VM.start", json!(["OpaqueRef:NULL", "false", false])),
        ("VM.start", json!(["OpaqueRef:NULL", 0, false])),
        ("VM.start", json!([{}, false, false])),
        ("event.from", json!(["VM", "", 1.0])),
        ("task.set_status", json!(["OpaqueRef:NULL", "done"])),
    ] {
        let failure = world.call(session, method, params.clone()).await.expect_err(method);
        assert_eq!(failure[0], "INTERNAL_ERROR", "{method} {params}");
    }
    // Who has defaults takes more than it knows of.
    let more = json!(["root", "secret", "1.0", "me", "and", "more"]);
    world.raw("session.login_with_password", more).await.expect("a session");
    let no_async = ["Fault", "No async mode for this operation (rpc: VM.get_record)"];
    client.fails("Async.VM.get_record", json!(["OpaqueRef:NULL"]), &no_async).await;
    client.fails("event.next", json!([]), &["SESSION_NOT_REGISTERED", session]).await;
    let token = ["EVENT_FROM_TOKEN_PARSE_FAILURE", "soon"];
    client.fails("event.from", json!([["VM"], "soon", 1.0]), &token).await;
    world.stop().await;
}

#[tokio::test]
async fn of_logins_and_names() {
    let world = World::start().await;
    let client = Client::of(&world).await;
    let wrong = world.raw("session.login_with_password", json!(["root", "wrong"])).await;
    let wrong = wrong.expect_err("the password is wrong");
    assert_eq!(wrong[..2], ["SESSION_AUTHENTICATION_FAILED", "root"]);
    assert_eq!(wrong.len(), 3);
    let nothing = "OpaqueRef:NULL";
    for class in ["VM", "host", "pool", "task"] {
        let (record, by_uuid) = (format!("{class}.get_record"), format!("{class}.get_by_uuid"));
        client.fails(&record, json!([nothing]), &["HANDLE_INVALID", class, nothing]).await;
        client.fails(&by_uuid, json!(["no"]), &["UUID_INVALID", class, "no"]).await;
        let session = client.session.as_str();
        client.fails(&record, json!([session]), &["HANDLE_INVALID", class, session]).await;
    }
    // A reference of one class is none of another.
    let vm = client.vm(VM).await;
    client.fails("host.get_record", json!([vm]), &["HANDLE_INVALID", "host", &vm]).await;
    let pool = client.ok("pool.get_all", json!([])).await[0].clone();
    client.ok("pool.add_to_other_config", json!([pool, "k", "v"])).await;
    assert_eq!(client.ok("pool.get_other_config", json!([pool])).await, json!({ "k": "v" }));
    let there = ["MAP_DUPLICATE_KEY", "pool", "other_config", pool.as_str().expect("text"), "k"];
    client.fails("pool.add_to_other_config", json!([pool, "k", "w"]), &there).await;
    client.ok("pool.remove_from_other_config", json!([pool, "none"])).await;
    client.ok("pool.set_other_config", json!([pool, {}])).await;
    assert_eq!(client.ok("pool.get_other_config", json!([pool])).await, json!({}));
    let failure = world.call(&client.session, "task.get_all_where", json!(["what"])).await;
    assert_eq!(failure.expect_err("a filter")[..2], ["INVALID_VALUE", "what"]);
    client
        .fails("VM.clone", json!([vm, "c"]), &bad_state(&vm, "halted, suspended", "running"))
        .await;
    world.stop().await;
}

fn bad_state<'a>(vm: &'a str, expected: &'a str, actual: &'a str) -> [&'a str; 4] {
    ["VM_BAD_POWER_STATE", vm, expected, actual]
}

#[tokio::test]
async fn of_machines() {
    let world = World::start().await;
    let client = Client::of(&world).await;
    let vm = client.vm(VM).await;
    let start = json!([vm, false, false]);
    client.fails("VM.start", start.clone(), &bad_state(&vm, "halted", "running")).await;
    client.fails("VM.resume", start.clone(), &bad_state(&vm, "suspended", "running")).await;
    client.fails("VM.unpause", json!([vm]), &bad_state(&vm, "paused", "running")).await;
    client.fails("VM.destroy", json!([vm]), &bad_state(&vm, "halted", "running")).await;
    client.ok("VM.pause", json!([vm])).await;
    client.fails("VM.suspend", json!([vm]), &bad_state(&vm, "running", "paused")).await;
    assert_eq!(client.ok("VM.get_power_state", json!([vm])).await, "Paused");
    client.ok("VM.hard_reboot", json!([vm])).await;
    assert_eq!(client.ok("VM.get_power_state", json!([vm])).await, "Running");
    client.ok("VM.suspend", json!([vm])).await;
    client.fails("VM.clean_shutdown", json!([vm]), &bad_state(&vm, "running", "suspended")).await;
    client.ok("VM.resume", json!([vm, true, false])).await;
    assert_eq!(client.ok("VM.get_power_state", json!([vm])).await, "Paused");
    client.ok("VM.hard_shutdown", json!([vm])).await;
    let any = bad_state(&vm, "paused, running, suspended", "halted");
    client.fails("VM.hard_shutdown", json!([vm]), &any).await;
    // What was paused once is not when it is started again.
    client.ok("VM.start", start.clone()).await;
    assert_eq!(client.ok("VM.get_power_state", json!([vm])).await, "Running");
    client.ok("VM.hard_shutdown", json!([vm])).await;

    let engine = world.simulator.service().engine();
    let mo = machine(&world, VM);
    let set = |path: &vimsim::schema::StaticPath, value: Value| {
        engine.commit(|tx| tx.set(&mo, path, value)).expect("the change");
    };
    set(vimsim::path!(VirtualMachine, "config.template"), true.into());
    client.fails("VM.start", start.clone(), &["VM_IS_TEMPLATE", &vm]).await;
    set(vimsim::path!(VirtualMachine, "config.template"), false.into());
    client.ok("VM.start", start.clone()).await;
    set(vimsim::path!(VirtualMachine, "guest.toolsRunningStatus"), "guestToolsNotRunning".into());
    client.fails("VM.clean_shutdown", json!([vm]), &["VM_LACKS_FEATURE", &vm]).await;
    client.ok("VM.hard_shutdown", json!([vm])).await;
    let view = engine.snapshot();
    let host =
        vimsim::inventory::Read::moref(&*view, &mo, vimsim::path!(VirtualMachine, "runtime.host"));
    let host = host.expect("its host").clone();
    let lost = vimsim::enum_value!(HostSystemConnectionState::disconnected);
    engine
        .commit(|tx| tx.set(&host, vimsim::path!(HostSystem, "runtime.connectionState"), lost))
        .expect("the host is lost");
    client.fails("VM.start", start, &["NO_HOSTS_AVAILABLE"]).await;
    world.stop().await;
}

fn machine(world: &World, name: &str) -> MoRef {
    let snapshot = world.simulator.service().engine().snapshot();
    let mut all = snapshot.of_type(ty::VirtualMachine);
    let named =
        |object: &vimsim::value::Object| object.field("name").and_then(Value::as_str) == Some(name);
    all.find(|(_, object)| named(object)).expect("the machine").0.clone()
}

#[tokio::test]
async fn of_machines_at_work() {
    let world = World::start_with(slow).await;
    let client = Client::of(&world).await;
    let vm = client.vm(VM).await;
    let task = client.ok("Async.VM.hard_shutdown", json!([vm])).await;
    let task = task.as_str().expect("a task");
    let busy = ["OTHER_OPERATION_IN_PROGRESS", "VM", &vm, "hard_shutdown", task];
    client.fails("VM.start", json!([vm, false, false]), &busy).await;
    client.fails("VM.pause", json!([vm]), &busy).await;

    // The task of a synchronous call is there as long as the call takes.
    let engine = world.simulator.service().engine();
    engine.advance(Duration::from_secs(61)).expect("a stepped clock");
    let call = client.fails_later("VM.start", json!([vm, false, false]));
    let cancel = async {
        let (mut task, mut tries) = (String::new(), 0);
        while task.is_empty() {
            let current = client.ok("VM.get_current_operations", json!([vm])).await;
            let keys = current.as_object().expect("a map").keys();
            task = keys.into_iter().next().cloned().unwrap_or_default();
            tries += 1;
            assert!(tries < 1000, "the call makes a task");
        }
        assert_eq!(client.ok("task.get_name_label", json!([task])).await, "VM.start");
        client.ok("task.cancel", json!([task])).await;
        task
    };
    let (failure, task) = tokio::join!(call, cancel);
    assert_eq!(failure, ["TASK_CANCELLED", &task]);
    client.fails("task.get_record", json!([task]), &["HANDLE_INVALID", "task", &task]).await;

    // More than a hundred wait for the machine.
    let mo = machine(&world, VM);
    for _ in 0..102 {
        let operation = Operation::Internal(Str::from("wait"));
        let mut spec = TaskSpec::new(operation, "wait").on(mo.clone());
        (spec.duration, spec.busy) = (Duration::from_secs(60), Busy::Wait);
        engine.submit(spec, Box::new(Nothing)).expect("a task");
    }
    client.fails("VM.start", json!([vm, false, false]), &["TOO_MANY_PENDING_TASKS"]).await;
    world.stop().await;
}

impl Client<'_> {
    async fn fails_later(&self, method: &str, params: Json) -> Vec<String> {
        self.world.call(&self.session, method, params).await.expect_err(method)
    }
}

#[derive(Clone)]
struct Nothing;

impl Job for Nothing {
    fn complete(&mut self, _: &mut Tx<'_>, _: &TaskContext<'_>) -> Result<Option<Value>, Fault> {
        Ok(None)
    }
}

#[tokio::test]
async fn of_roles() {
    let world = World::start_with(|config| {
        let users = r#"{
            "users": { "ann": {}, "bob": {}, "admin": {} },
            "permissions": [
                { "user": "ann", "role": "ReadOnly" },
                { "user": "bob", "role": "VirtualMachinePowerUser", "entity": "/DC0/vm/DC0_H0_VM0" },
                { "user": "bob", "role": "ReadOnly" },
                { "user": "admin", "role": "Admin" }
            ]
        }"#;
        config.access = Some(Access::parse(users).expect("users"));
        config.login = vimsim::config::Login::default();
    })
    .await;
    let login = async |name: &str| {
        let session = world.raw("session.login_with_password", json!([name, "any"])).await;
        let session = session.expect("a session").as_str().expect("a reference").to_owned();
        Client { world: &world, session }
    };
    let (ann, bob, admin) = (login("ann").await, login("bob").await, login("admin").await);
    let vm = admin.vm(VM).await;
    assert_eq!(ann.vm(VM).await, vm);
    let denied = ann.fails_later("VM.hard_shutdown", json!([vm])).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "vm.hard_shutdown"]);
    bob.ok("VM.hard_shutdown", json!([vm])).await;
    // The role is there, the privilege on the machine is not.
    let other = admin.vm("DC0_H0_VM1").await;
    let denied = bob.fails_later("VM.hard_shutdown", json!([other])).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "virtualmachine.interact.poweroff"]);
    let pool = ann.ok("pool.get_all", json!([])).await[0].clone();
    let denied = bob.fails_later("pool.add_to_other_config", json!([pool, "k", "v"])).await;
    assert_eq!(denied[..2], ["RBAC_PERMISSION_DENIED", "pool.add_to_other_config"]);
    for (client, superuser) in [(&ann, false), (&bob, false), (&admin, true)] {
        let own = json!([client.session]);
        let is = client.ok("session.get_is_local_superuser", own.clone()).await;
        assert_eq!(is, superuser);
        let permissions = client.ok("session.get_rbac_permissions", own).await;
        let permissions = permissions.as_array().expect("a list");
        let may_start = permissions.contains(&json!("vm.start"));
        assert_eq!(may_start, std::ptr::eq(client, &raw const bob), "{permissions:?}");
    }
    world.stop().await;
}

#[tokio::test]
async fn of_a_host_by_itself() {
    let world = World::start_with(|config| config.esx = true).await;
    let client = Client::of(&world).await;
    let name = client.ok("VM.get_all_records", json!([])).await;
    let (vm, _) = name.as_object().expect("records").iter().next().expect("a machine");
    client.ok("VM.hard_shutdown", json!([vm])).await;
    let failure = client.fails_later("VM.clone", json!([vm, "copy"])).await;
    assert_eq!(failure[0], "OPERATION_NOT_ALLOWED");
    world.stop().await;
}
