//! Every part of `EventFilterSpec`, one by one.

use std::time::Duration;

use vimsim::object;
use vimsim::schema::ty;
use vimsim::value::{MoRef, Object, Value};

use super::world::{Client, args, keys, message, number, text, types};

/// Two machines that were switched off, ten seconds apart, by two users.
fn client() -> (Client, MoRef, MoRef) {
    let client = Client::new();
    let (one, two) = (client.named("DC0_H0_VM0"), client.named("DC0_C0_RP0_VM0"));
    client.run(&one, args!(PowerOffVM_Task));
    client.service.engine().advance(Duration::from_secs(10)).unwrap();
    let other = Client::of(&client.service, "Other");
    other.run(&two, args!(PowerOffVM_Task));
    (client, one, two)
}

/// The events by which the server tells of its four machines when it starts.
const STARTED: usize = 4 * 7;

fn machines(events: &[Object]) -> Vec<&str> {
    events.iter().map(|event| text(event, "vm.name")).collect()
}

/// The events of powered-off machines that a filter lets through.
fn off(client: &Client, filter: &Object) -> Vec<Object> {
    let slot = const { ty::EventFilterSpec.slot("eventTypeId") };
    client.events(filter.with(slot, vec!["VmPoweredOffEvent"]))
}

fn of_entity(entity: &MoRef, recursion: &str) -> Object {
    object!(EventFilterSpec {
        entity: object!(EventFilterSpecByEntity { entity: entity, recursion: recursion }),
    })
}

#[test]
fn by_entity() {
    let (client, one, _) = client();
    let count = |entity: &MoRef, recursion| off(&client, &of_entity(entity, recursion)).len();
    assert_eq!(machines(&off(&client, &of_entity(&one, "self"))), ["DC0_H0_VM0"]);
    assert_eq!(count(&one, "children"), 0);
    assert_eq!(count(&one, "all"), 1);
    // A host's own events are not those of its machines.
    let host = client.get(&one, "runtime.host").unwrap().as_moref().unwrap().clone();
    assert_eq!([count(&host, "self"), count(&host, "children"), count(&host, "all")], [0, 1, 1]);
    let (cluster, datacenter) = (client.named("DC0_C0"), client.named("DC0"));
    assert_eq!(machines(&off(&client, &of_entity(&cluster, "all"))), ["DC0_C0_RP0_VM0"]);
    assert_eq!([count(&datacenter, "self"), count(&datacenter, "all")], [0, 2]);
    // A folder or a pool stands for what is in it.
    let folder = client.named("vm");
    assert_eq!([count(&folder, "self"), count(&folder, "children"), count(&folder, "all")], [2; 3]);
    let pool = client.get(&cluster, "resourcePool").unwrap().as_moref().unwrap().clone();
    assert_eq!(machines(&off(&client, &of_entity(&pool, "self"))), ["DC0_C0_RP0_VM0"]);
}

#[test]
fn the_root_folder_stands_for_the_server_too() {
    let (client, ..) = client();
    let root = client.service.content().root_folder.clone();
    let sessions = |recursion| {
        let slot = const { ty::EventFilterSpec.slot("eventTypeId") };
        client.events(of_entity(&root, recursion).with(slot, vec!["SessionEvent"])).len()
    };
    assert_eq!([sessions("self"), sessions("children"), sessions("all")], [3, 0, 3]);
    let all = client.events(object!(EventFilterSpec {})).len();
    assert_eq!(client.events(of_entity(&root, "all")).len(), all);
}

#[test]
fn what_is_gone_is_still_found() {
    let (client, one, _) = client();
    let folder = client.named("vm");
    client.run(&one, args!(Destroy_Task));
    let events = client.events(of_entity(&one, "self"));
    assert_eq!(types(&events).last(), Some(&"VmRemovedEvent"));
    assert_eq!(off(&client, &of_entity(&folder, "children")).len(), 2);
}

#[test]
fn by_time() {
    let (client, ..) = client();
    let events = off(&client, &object!(EventFilterSpec {}));
    let times: Vec<_> = events
        .iter()
        .map(|it| it.field("createdTime").and_then(Value::as_date_time).unwrap())
        .collect();
    let second = Duration::from_secs(1);
    let between = |begin, end| {
        let time = object!(EventFilterSpecByTime { beginTime: begin, endTime: end });
        machines(&off(&client, &object!(EventFilterSpec { time: time }))).len()
    };
    // Both ends belong to it.
    assert_eq!(between(Some(times[0]), Some(times[1])), 2);
    assert_eq!(between(Some(times[0]), Some(times[0])), 1);
    assert_eq!(between(Some(times[0].after(second)), None), 1);
    assert_eq!(between(None, Some(times[0].after(second))), 1);
    assert_eq!(between(Some(times[1].after(second)), None), 0);
    assert_eq!(between(Some(times[1]), Some(times[0])), 0);
}

#[test]
fn by_user() {
    let (client, ..) = client();
    let by = |system: bool, users: &[&str]| {
        let user =
            object!(EventFilterSpecByUsername { systemUser: system, userList: users.to_vec() });
        client.events(object!(EventFilterSpec { userName: user }))
    };
    let names = |events: &[Object]| {
        let mut names: Vec<String> =
            events.iter().map(|it| text(it, "userName").to_owned()).collect();
        names.dedup();
        names
    };
    assert_eq!(names(&by(false, &["OTHER"])), ["Other"]);
    assert_eq!(names(&by(true, &["nobody"])), [""]);
    assert_eq!(names(&by(false, &[])), ["tester", "Other"]);
    assert_eq!(names(&by(true, &[])), ["", "tester", "Other"]);
}

#[test]
fn by_chain() {
    let (client, ..) = client();
    let all = client.events(object!(EventFilterSpec {}));
    let off = all.iter().find(|event| event.ty() == ty::VmPoweredOffEvent).unwrap();
    let chain = number(off, "chainId");
    let events = client.events(object!(EventFilterSpec { eventChainId: chain }));
    assert_eq!(types(&events), ["TaskEvent", "VmStoppingEvent", "VmPoweredOffEvent"]);
    assert!(client.events(object!(EventFilterSpec { eventChainId: 99_999 })).is_empty());
    // Zero is what clients send that know no unset numbers.
    assert_eq!(client.events(object!(EventFilterSpec { eventChainId: 0 })).len(), all.len());
}

#[test]
fn by_type() {
    let (client, ..) = client();
    let count = |filter| client.events(filter).len();
    for name in ["VmPoweredOffEvent", "vim.event.VmPoweredOffEvent"] {
        assert_eq!(count(object!(EventFilterSpec { eventTypeId: vec![name] })), 2, "{name}");
        assert_eq!(count(object!(EventFilterSpec { type: vec![name] })), 2, "{name}");
    }
    assert_eq!(count(object!(EventFilterSpec { eventTypeId: vec!["VmEvent"] })), 4 + STARTED);
    assert_eq!(
        count(object!(EventFilterSpec { eventTypeId: vec!["VmPoweredOffEvent", "TaskEvent"] })),
        4
    );
    // An extension may have made up any id, but types are those of the schema.
    assert_eq!(count(object!(EventFilterSpec { eventTypeId: vec!["com.example.x"] })), 0);
    let fault = client.query(object!(EventFilterSpec { type: vec!["Nonsense"] })).unwrap_err();
    assert_eq!(text(fault.object(), "invalidProperty"), "filter.type");
    // Both together: both must hold.
    let both = object!(EventFilterSpec { type: vec!["VmEvent"], eventTypeId: vec!["TaskEvent"] });
    assert_eq!(count(both), 0);
}

#[test]
fn by_the_id_of_an_extension_and_its_severity() {
    let client = Client::new();
    for (id, severity) in [("com.example.a", Some("warning")), ("com.example.b", None)] {
        let event = object!(EventEx { eventTypeId: id, severity: severity, message: id });
        client.call(&client.manager(), args!(PostEvent, eventToPost: event)).unwrap();
    }
    let messages = |filter| -> Vec<String> {
        client.events(filter).iter().map(|it| message(it).to_owned()).collect()
    };
    let a = object!(EventFilterSpec { eventTypeId: vec!["com.example.a"] });
    assert_eq!(messages(a), ["com.example.a"]);
    assert_eq!(messages(object!(EventFilterSpec { category: vec!["warning"] })), ["com.example.a"]);
    let info = object!(EventFilterSpec { category: vec!["info"], eventTypeId: vec!["EventEx"] });
    assert_eq!(messages(info), ["com.example.b"]);
}

#[test]
fn by_category() {
    let (client, one, _) = client();
    client.run(&one, args!(PowerOffVM_Task));
    client.call(&client.manager(), args!(LogUserEvent, entity: &one, msg: "hello")).unwrap();
    let of = |category: &str| {
        types(&client.events(object!(EventFilterSpec { category: vec![category] })))
    };
    assert_eq!(of("error"), ["VmFailedToPowerOffEvent"]);
    assert_eq!(of("user"), ["GeneralUserEvent"]);
    assert!(of("info").contains(&"VmPoweredOffEvent") && of("warning").is_empty());
    let both = client.events(object!(EventFilterSpec { category: vec!["error", "user"] }));
    assert_eq!(both.len(), 2);
}

#[test]
fn by_tag() {
    let client = Client::new();
    for tag in [Some("nightly"), None] {
        let event = object!(GeneralEvent { message: "x", changeTag: tag });
        client.call(&client.manager(), args!(PostEvent, eventToPost: event)).unwrap();
    }
    let tags = |tags: &[&str]| {
        let filter =
            object!(EventFilterSpec { tag: tags.to_vec(), eventTypeId: vec!["GeneralEvent"] });
        client.events(filter).iter().map(|it| text(it, "changeTag").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tags(&["nightly"]), ["nightly"]);
    assert_eq!(tags(&[""]), [""]);
    assert_eq!(tags(&["", "nightly"]), ["nightly", ""]);
    assert_eq!(tags(&[]).len(), 2);
}

#[test]
fn by_alarm_and_by_scheduled_task() {
    let client = Client::new();
    let vm = client.named("DC0_H0_VM0");
    let (alarm, schedule) =
        (MoRef::new(ty::Alarm, "alarm-1"), MoRef::new(ty::ScheduledTask, "schedule-1"));
    let entity = object!(ManagedEntityEventArgument { name: "x", entity: &vm });
    let posted = [
        object!(AlarmClearedEvent {
            alarm: object!(AlarmEventArgument { name: "a", alarm: &alarm }),
            source: entity.clone(),
            entity: entity.clone(),
            from: "red",
        }),
        object!(ScheduledTaskStartedEvent {
            scheduledTask: object!(ScheduledTaskEventArgument {
                name: "s",
                scheduledTask: &schedule
            }),
            entity: entity,
        }),
    ];
    for event in posted {
        client.call(&client.manager(), args!(PostEvent, eventToPost: event)).unwrap();
    }
    let found = client.events(object!(EventFilterSpec { alarm: &alarm }));
    assert_eq!(types(&found), ["AlarmClearedEvent"]);
    let found = client.events(object!(EventFilterSpec { scheduledTask: &schedule }));
    assert_eq!(types(&found), ["ScheduledTaskStartedEvent"]);
    let other = MoRef::new(ty::Alarm, "alarm-2");
    assert!(client.events(object!(EventFilterSpec { alarm: other })).is_empty());
}

#[test]
fn with_or_without_the_message() {
    let (client, ..) = client();
    let messages = |disabled: Option<bool>| {
        let filter = object!(EventFilterSpec { disableFullMessage: disabled });
        client.events(filter).iter().filter(|it| !message(it).is_empty()).count()
    };
    let all = client.events(object!(EventFilterSpec {})).len();
    assert_eq!([messages(None), messages(Some(false)), messages(Some(true))], [all, all, 0]);
}

#[test]
fn at_most_so_many_the_newest_first() {
    let (client, ..) = client();
    let all = keys(&client.events(object!(EventFilterSpec {})));
    let two = client.query(object!(EventFilterSpec { maxCount: 2 })).unwrap();
    let newest: Vec<i32> = all.iter().rev().take(2).copied().collect();
    assert_eq!(keys(&two), newest);
    for wrong in [-1, 1001] {
        let fault = client.query(object!(EventFilterSpec { maxCount: wrong })).unwrap_err();
        assert_eq!(text(fault.object(), "invalidProperty"), "filter.maxCount");
    }
}

#[test]
fn pages_from_an_event_on() {
    let (client, ..) = client();
    let all = keys(&client.events(object!(EventFilterSpec {})));
    let page = |start: i32, forward: bool| {
        let view = object!(EventManagerViewByStartId { startEventId: start, isForward: forward });
        let filter = object!(EventFilterSpec { maxCount: 2 });
        let args = args!(QueryEvents, filter: filter, eventViewSpec: view);
        keys(&super::world::objects(client.call(&client.manager(), args).unwrap().as_ref()))
    };
    assert_eq!(page(2_147_480_000, false), [all[all.len() - 1], all[all.len() - 2]]);
    assert_eq!(page(all[3], false), [all[2], all[1]]);
    assert_eq!(page(all[1], true), [all[2], all[3]]);
    assert!(page(all[0], false).is_empty());
    let negative = object!(EventManagerViewByStartId { startEventId: -1, isForward: true });
    let args = args!(QueryEvents, filter: object!(EventFilterSpec {}), eventViewSpec: negative);
    assert!(client.call(&client.manager(), args).is_err());
}
