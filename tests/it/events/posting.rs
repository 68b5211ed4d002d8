//! What clients post themselves, and what the manager says of itself.

use vimsim::object;
use vimsim::schema::{Type, ty};
use vimsim::value::{MoRef, Object, Value};

use super::world::{Client, args, message, number, objects, text, types};

fn post(client: &Client, event: Object) -> Object {
    client.call(&client.manager(), args!(PostEvent, eventToPost: event)).unwrap();
    latest(client)
}

fn latest(client: &Client) -> Object {
    client.get(&client.manager(), "latestEvent").unwrap().as_object().unwrap().clone()
}

#[test]
fn a_user_logs_an_event_on_an_entity() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let log = |entity: &MoRef, text: &str| {
        client.call(&client.manager(), args!(LogUserEvent, entity: entity, msg: text))
    };
    log(&vm, "look here").unwrap();
    let event = latest(&client);
    assert_eq!(event.ty(), ty::GeneralUserEvent);
    assert_eq!(text(&event, "message"), "look here");
    assert_eq!(text(&event, "entity.name"), "DC0_H0_VM0");
    assert_eq!(text(&event, "host.name"), "DC0_H0");
    assert_eq!(message(&event), "A user says: look here");
    assert!(log(&client.service.content().root_folder, "x").is_ok());
    for (entity, words, fault) in [
        (&vm, "", ty::InvalidArgument),
        (&client.named("vm"), "x", ty::InvalidArgument),
        (&MoRef::new(ty::VirtualMachine, "vm-999999"), "x", ty::ManagedObjectNotFound),
    ] {
        assert_eq!(log(entity, words).unwrap_err().ty(), fault);
    }
}

#[test]
fn an_extensions_event_is_about_the_object_that_it_names() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let event = post(
        &client,
        object!(EventEx {
            eventTypeId: "com.example.done",
            severity: "info",
            message: "all is well",
            objectType: "VirtualMachine",
            objectId: vm.id(),
        }),
    );
    assert_eq!(message(&event), "all is well");
    assert_eq!(text(&event, "vm.name"), "DC0_H0_VM0");
    assert_eq!(text(&event, "datacenter.name"), "DC0");
    assert_eq!(text(&event, "userName"), "tester");
    assert_eq!(number(&event, "chainId"), number(&event, "key"));
    let by = object!(EventFilterSpecByEntity { entity: &vm, recursion: "self" });
    let filter = object!(EventFilterSpec { entity: by, eventTypeId: vec!["com.example.done"] });
    assert_eq!(client.events(filter).len(), 1);
}

#[test]
fn the_server_says_key_chain_and_time_and_fills_in_the_rest() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let event = post(
        &client,
        object!(VmMessageEvent {
            key: 5,
            chainId: 6,
            createdTime: vimsim::value::DateTime::EPOCH,
            userName: "robot",
            fullFormattedMessage: "not this",
            vm: object!(VmEventArgument { name: "my name for it", vm: &vm }),
            template: false,
            message: "hello",
        }),
    );
    assert!(number(&event, "key") != 5 && number(&event, "chainId") == number(&event, "key"));
    let time = event.field("createdTime").and_then(Value::as_date_time);
    assert_eq!(time, Some(client.service.engine().now()));
    assert_eq!(text(&event, "userName"), "robot");
    assert_eq!(text(&event, "vm.name"), "my name for it");
    assert_eq!(text(&event, "host.name"), "DC0_H0");
    assert_eq!(message(&event), "my name for it on DC0_H0 in DC0 says: hello");
}

#[test]
fn an_event_can_join_the_chain_of_a_task() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let task = client.run(&vm, args!(PowerOffVM_Task));
    let info = client.get(&task, "info").unwrap();
    let event = object!(GeneralEvent { message: "from outside" });
    let args = args!(PostEvent, eventToPost: event.clone(), taskInfo: info.clone());
    client.call(&client.manager(), args).unwrap();
    assert_eq!(types(&client.chain(&task)).last(), Some(&"GeneralEvent"));
    let slot = const { ty::TaskInfo.slot("key") };
    let unknown = info.as_object().unwrap().with(slot, "task-999");
    let args = args!(PostEvent, eventToPost: event, taskInfo: unknown);
    let fault = client.call(&client.manager(), args).unwrap_err();
    assert_eq!(text(fault.object(), "invalidProperty"), "taskInfo");
}

#[test]
fn an_event_about_nothing_that_exists_is_refused() {
    let client = Client::new();
    let gone = MoRef::new(ty::HostSystem, "host-999999");
    for (event, part) in [
        (
            object!(GeneralEvent {
                message: "x",
                host: object!(HostEventArgument { name: "x", host: &gone }),
            }),
            "eventToPost.host",
        ),
        (object!(EventEx { eventTypeId: "x", severity: "fatal" }), "eventToPost.severity"),
    ] {
        let args = args!(PostEvent, eventToPost: event);
        let fault = client.call(&client.manager(), args).unwrap_err();
        assert_eq!(text(fault.object(), "invalidProperty"), part);
    }
}

fn extension() -> Object {
    let pair = |key: &str, value: &str| object!(KeyValue { key: key, value: value });
    object!(Extension {
        key: "com.example",
        version: "1",
        lastHeartbeatTime: vimsim::value::DateTime::EPOCH,
        description: object!(Description { label: "x", summary: "x" }),
        eventList: vec![object!(ExtensionEventTypeInfo {
            eventID: "com.example.moved",
            eventTypeSchema: "<EventType><eventTypeID>com.example.moved</eventTypeID><arguments>\
                <argument><name>rack</name><type>string</type></argument></arguments></EventType>",
        })],
        resourceList: vec![object!(ExtensionResourceInfo {
            locale: "en",
            module: "event",
            data: vec![pair("com.example.moved.fullFormat", "{vm.name} moved to {rack}")],
        })],
    })
}

#[test]
fn an_extension_says_how_its_events_read() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    client.call(&extensions, args!(RegisterExtension, extension: extension())).unwrap();
    let event = post(
        &client,
        object!(EventEx {
            eventTypeId: "com.example.moved",
            vm: object!(VmEventArgument { name: "a", vm: &vm }),
            arguments: vec![object!(KeyAnyValue { key: "rack", value: Value::from("r7") })],
        }),
    );
    assert_eq!(message(&event), "a moved to r7");
    let described = |id: &str| {
        let args = args!(RetrieveArgumentDescription, eventTypeId: id);
        client.call(&client.manager(), args).map(|answer| objects(answer.as_ref()))
    };
    let found = described("com.example.moved").unwrap();
    assert_eq!([text(&found[0], "name"), text(&found[0], "type")], ["rack", "string"]);
    assert_eq!(text(&found[0], "description.key"), "com.example.moved.rack");
    let names: Vec<(String, String)> = described("VmRenamedEvent")
        .unwrap()
        .iter()
        .map(|it| (text(it, "name").to_owned(), text(it, "type").to_owned()))
        .collect();
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    for expected in [pair("vm", "vm"), pair("oldName", "string"), pair("template", "bool")] {
        assert!(names.contains(&expected), "{names:?}");
    }
    assert_eq!(described("com.example.unknown").unwrap_err().ty(), ty::InvalidArgument);
}

#[test]
fn every_event_type_of_the_schema_is_described() {
    for esx in [false, true] {
        let client = Client::with(|config| config.esx = esx);
        let info = client.get(&client.manager(), "description.eventInfo");
        let mut named: Vec<Type> = objects(info.as_ref())
            .iter()
            .map(|it| Type::by_name(text(it, "key")).expect("a type"))
            .collect();
        named.sort();
        let all: Vec<Type> = ty::Event.derived().filter(|it| *it != ty::Event).collect();
        assert_eq!(named, all);
        for detail in objects(info.as_ref()) {
            assert_eq!(detail.missing().count(), 0, "{detail:?}");
            for field in ["description", "fullFormat", "formatOnVm", "formatOnHost"] {
                let words = text(&detail, field);
                assert!(!words.is_empty() && !words.contains(['[', ']']), "{detail:?}");
            }
        }
    }
}

#[test]
fn a_host_by_itself_has_events_too() {
    let client = Client::with(|config| config.esx = true);
    let vm = client.named("ha-host_VM0");
    let task = client.run(&vm, args!(PowerOffVM_Task));
    let events = client.chain(&task);
    assert_eq!(types(&events), ["TaskEvent", "VmStoppingEvent", "VmPoweredOffEvent"]);
    assert_eq!(latest(&client), events[2]);
}

#[test]
fn watchers_are_woken_by_the_latest_event() {
    let client = Client::new();
    let collector = MoRef::new(ty::PropertyCollector, "propertyCollector");
    let spec = object!(PropertyFilterSpec {
        propSet: vec![object!(PropertySpec {
            type: "EventManager",
            pathSet: vec!["latestEvent"],
        })],
        objectSet: vec![object!(ObjectSpec { obj: client.manager() })],
    });
    client.make(&collector, args!(CreateFilter, spec: spec, partialUpdates: false));
    let check = |version: &str| client.call(&collector, args!(CheckForUpdates, version: version));
    let version = |answer: &Option<Value>| {
        text(answer.as_ref().unwrap().as_object().unwrap(), "version").to_owned()
    };
    let first = version(&check("").unwrap());
    assert_eq!(check(&first).unwrap(), None);
    let vm = client.named("DC0_H0_VM0");
    client.run(&vm, args!(PowerOffVM_Task));
    let update = check(&first).unwrap();
    let told = format!("{update:?}");
    assert!(told.contains("VmPoweredOffEvent"), "{told}");
}
