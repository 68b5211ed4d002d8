//! What alarms do.

use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Object, Value};
use vimsim::{object, path};

use super::{Client, at, is_off, power_on, spec, with_action, word};
use crate::operations::args;

fn repeating(spec: &Object, seconds: i32) -> Object {
    spec.with(const { ty::AlarmSpec.slot("actionFrequency") }, seconds)
}

fn filtered(client: &Client, alarm: &MoRef) -> (usize, usize) {
    let manager = MoRef::new(ty::TaskManager, "TaskManager");
    let filter = object!(TaskFilterSpec { alarm: alarm });
    let made = client.sim.call(&manager, method::CreateCollectorForTasks, args![filter = filter]);
    let collector = made.unwrap().unwrap().as_moref().unwrap().clone();
    let tasks = client.sim.call(&collector, method::ReadNextTasks, args![maxCount = 100]).unwrap();
    let manager = MoRef::new(ty::EventManager, "EventManager");
    let filter = object!(EventFilterSpec { alarm: alarm });
    let events = client.sim.call(&manager, method::QueryEvents, args![filter = filter]).unwrap();
    (tasks.map_or(0, |it| it.items().len()), events.map_or(0, |it| it.items().len()))
}

#[test]
fn a_method_is_called_as_a_task_that_names_the_alarm() {
    let client = Client::new();
    let action = at(&[("green", "red")], false, power_on());
    let alarm = client.made(&client.root, with_action(&spec("off", is_off()), action));
    client.power(false);
    let power = client.sim.text(&client.vm, path!(VirtualMachine, "runtime.powerState"));
    assert_eq!(power, "poweredOn");
    let tasks = client.tasks(&alarm);
    assert_eq!(tasks, [(client.vm.clone(), "VirtualMachine.powerOn".to_owned())]);
    let state = client.sim.snapshot();
    let reason = state
        .of_type(ty::Task)
        .filter_map(|(_, task)| task.at(path!(Task, "info.reason"))?.as_object().cloned())
        .find(|reason| reason.ty() == ty::TaskReasonAlarm)
        .expect("a reason");
    assert_eq!(
        (word(&reason, "alarmName"), word(&reason, "entityName")),
        ("off".into(), "DC0_H0_VM0".into())
    );
    assert_eq!(reason.field("alarm").and_then(Value::as_moref), Some(&alarm));
    assert_eq!(reason.field("entity").and_then(Value::as_moref), Some(&client.vm));
    assert_eq!(client.events(ty::AlarmActionTriggeredEvent).len(), 1);
    // Two changes of colour, an action, the alarm's beginning, the task.
    assert_eq!(filtered(&client, &alarm), (1, 5));
}

/// Who may not do it does not have an alarm do it.
#[test]
fn methods_that_no_alarm_can_call_are_refused() {
    let client = Client::new();
    let red = [("green", "red")];
    let table = [
        at(&red, false, object!(MethodAction { name: "Nothing" })),
        at(&red, false, object!(MethodAction { name: "EnterMaintenanceMode_Task" })),
        at(&red, false, object!(MethodAction { name: "Logout" })),
        at(&[("red", "red")], false, power_on()),
        at(&[("gray", "red")], false, power_on()),
        at(&[], false, power_on()),
    ];
    for action in table {
        let made = client.create(&client.vm, with_action(&spec("a", is_off()), action.clone()));
        assert_eq!(made.expect_err("a fault").ty(), ty::InvalidArgument, "{action:?}");
    }
}

#[test]
fn actions_repeat_until_somebody_takes_note() {
    let client = Client::new();
    let action = at(&[("green", "red")], true, object!(SendSNMPAction {}));
    let spec = repeating(&with_action(&spec("off", is_off()), action), 60);
    let alarm = client.made(&client.vm, spec);
    client.sim.start(&client.vm, method::PowerOffVM_Task, args![]).expect("a task");
    client.advance(30);
    let count = || client.events(ty::AlarmSnmpCompletedEvent).len();
    assert_eq!(count(), 1);
    client.advance(60);
    assert_eq!(count(), 2);
    client.advance(300);
    assert_eq!(count(), 7);
    let given = args![alarm = alarm.clone(), entity = client.vm.clone()];
    client.sim.call(&super::manager(), method::AcknowledgeAlarm, given).expect("noted");
    client.advance(300);
    assert_eq!(count(), 7);
    // Nothing is left to wait for.
    client.sim.call(&alarm, method::RemoveAlarm, args![]).expect("gone");
    client.advance(300);
    assert_eq!(count(), 7);
}

#[test]
fn what_would_leave_the_server_is_told_in_events() {
    let client = Client::new();
    let mail = object!(SendEmailAction {
        toList: "a@example.org",
        ccList: "",
        subject: "off",
        body: "it is off",
    });
    let red = [("green", "red")];
    let group = object!(GroupAlarmAction {
        action: vec![
            at(&red, false, object!(RunScriptAction { script: "/bin/tell" })),
            at(&red, false, mail),
            at(&red, false, object!(SendSNMPAction {})),
            at(&[("red", "green")], false, object!(RunScriptAction { script: "/bin/well" })),
        ],
    });
    client.made(&client.vm, with_action(&spec("off", is_off()), group));
    client.power(false);
    assert_eq!(client.events(ty::AlarmActionTriggeredEvent).len(), 1);
    assert_eq!(client.events(ty::AlarmScriptCompleteEvent).len(), 1);
    assert_eq!(client.events(ty::AlarmSnmpCompletedEvent).len(), 1);
    // There is no server for mail yet.
    let failed = client.events(ty::AlarmEmailFailedEvent);
    assert_eq!((failed.len(), word(&failed[0], "to")), (1, "a@example.org".to_owned()));
    client.power(true);
    let ran = client.events(ty::AlarmScriptCompleteEvent);
    assert_eq!((ran.len(), word(&ran[1], "script")), (2, "/bin/well".to_owned()));
    let settings = MoRef::new(ty::OptionManager, "VpxSettings");
    let server =
        object!(OptionValue { key: "mail.smtp.server", value: Value::from("mail.example.org") });
    client.sim.call(&settings, method::UpdateOptions, args![changedValue = vec![server]]).unwrap();
    client.power(false);
    assert_eq!(client.events(ty::AlarmEmailCompletedEvent).len(), 1);
    assert_eq!(client.events(ty::AlarmEmailFailedEvent).len(), 1);
}

#[test]
fn an_alarm_makes_a_task_that_its_owner_drives() {
    let client = Client::new();
    let manager = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    let words = object!(Description { label: "Mend", summary: "Mends" });
    let extension = object!(Extension {
        description: words,
        key: "org.example",
        version: "1",
        lastHeartbeatTime: vimsim::value::DateTime::EPOCH,
        taskList: vec![object!(ExtensionTaskTypeInfo { taskID: "org.example.mend" })],
    });
    client.sim.call(&manager, method::RegisterExtension, args![extension = extension]).unwrap();
    let create = object!(CreateTaskAction { taskTypeId: "org.example.mend", cancelable: true });
    let action = at(&[("green", "red")], false, create);
    let alarm = client.made(&client.root, with_action(&spec("off", is_off()), action));
    client.power(false);
    assert_eq!(client.tasks(&alarm), [(client.vm.clone(), "org.example.mend".to_owned())]);
}

/// Two alarms that undo each other's work go on, but time does, too.
#[test]
fn alarms_that_work_against_each_other_do_not_stop_time() {
    let client = Client::new();
    let on = object!(StateAlarmExpression {
        operator: "isEqual",
        type: "VirtualMachine",
        statePath: "runtime.powerState",
        red: "poweredOn",
    });
    let off = at(&[("green", "red")], false, object!(MethodAction { name: "PowerOffVM_Task" }));
    client.made(&client.vm, with_action(&spec("on", on), off));
    let action = at(&[("green", "red")], false, power_on());
    let alarm = client.made(&client.vm, with_action(&spec("off", is_off()), action));
    client.advance(10);
    let done = client.tasks(&alarm).len();
    assert!((2..=11).contains(&done), "{done} times");
}

/// Tasks that nobody ends do not become more without end.
#[test]
fn actions_are_left_out_while_too_many_tasks_are_at_work() {
    let client = Client::with(|config| {
        config.limits.tasks = 3;
    });
    let expression =
        object!(EventAlarmExpression { eventType: "VmMessageEvent", objectType: "VirtualMachine" });
    let known = "com.vmware.govmomi.simulator.test";
    let create = object!(CreateTaskAction { taskTypeId: known, cancelable: true });
    let create = at(&[("green", "red")], false, create);
    let alarm = client.made(&client.root, with_action(&spec("busy", expression), create));
    let manager = MoRef::new(ty::EventManager, "EventManager");
    for _ in 0..6 {
        let argument = object!(VmEventArgument { name: "DC0_H0_VM0", vm: &client.vm });
        let event = object!(VmMessageEvent { vm: argument, template: false, message: "again" });
        client.sim.call(&manager, method::PostEvent, args![eventToPost = event]).expect("posted");
        client.advance(2);
    }
    assert_eq!(client.tasks(&alarm).len(), 3);
}
