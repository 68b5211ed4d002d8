//! Scheduled tasks as a client makes them, with time passing in steps.

mod told;

use std::time::Duration;

use vimsim::fault::Fault;
use vimsim::inventory::Read;
use vimsim::schema::{Method, StaticPath, method, ty};
use vimsim::value::{DateTime, MoRef, Object, Value};
use vimsim::{object, path};

use crate::operations::{Named, Sim, args};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const POWER: &StaticPath = path!(VirtualMachine, "runtime.powerState");

fn time(text: &str) -> DateTime {
    DateTime::parse(text).expect("a time")
}

fn manager() -> MoRef {
    MoRef::new(ty::ScheduledTaskManager, "ScheduledTaskManager")
}

fn call(name: &str) -> Object {
    object!(MethodAction { name: name })
}

fn call_with(name: &str, values: Vec<Option<Value>>) -> Object {
    let arguments = values.into_iter().map(|value| object!(MethodActionArgument { value: value }));
    object!(MethodAction { name: name, argument: arguments.collect::<Vec<_>>() })
}

fn daily(hour: i32) -> Object {
    object!(DailyTaskScheduler { interval: 1, hour: hour, minute: 0 })
}

fn once(at: &str) -> Object {
    object!(OnceTaskScheduler { runAt: time(at) })
}

fn spec(name: &str, scheduler: Object, action: Object) -> Object {
    object!(ScheduledTaskSpec {
        name: name,
        description: "for a test",
        enabled: true,
        scheduler: scheduler,
        action: action,
        notification: "somebody@example.org",
    })
}

/// A client of a server whose time is 2025-01-01T00:00:00Z, a Wednesday.
struct Client {
    sim: Sim,
    vm: MoRef,
}

impl Client {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(settings: impl FnOnce(&mut vimsim::Config)) -> Self {
        let sim = Sim::with(settings);
        let vm = sim.vm("DC0_H0_VM0");
        Self { sim, vm }
    }

    fn create(&self, entity: &MoRef, spec: Object) -> Result<MoRef, Fault> {
        let given = args![entity = entity.clone(), spec = spec];
        let made = self.sim.call(&manager(), method::CreateScheduledTask, given)?;
        Ok(made.as_ref().and_then(Value::as_moref).expect("a scheduled task").clone())
    }

    fn made(&self, spec: Object) -> MoRef {
        self.create(&self.vm, spec).expect("a scheduled task")
    }

    /// The place that an `InvalidArgument` names.
    fn refused(&self, spec: Object) -> String {
        let fault = self.create(&self.vm, spec).expect_err("a fault");
        assert_eq!(fault.ty(), ty::InvalidArgument, "{fault:?}");
        let place = fault.object().at(path!(InvalidArgument, "invalidProperty"));
        place.and_then(Value::as_str).expect("a place").to_owned()
    }

    fn void(&self, task: &MoRef, method: Method) -> Result<(), Fault> {
        self.sim.call(task, method, args![]).map(|answer| assert!(answer.is_none()))
    }

    fn at(&self, task: &MoRef, path: &StaticPath) -> Option<Value> {
        self.sim.snapshot().at(task, path).cloned()
    }

    fn next(&self, task: &MoRef) -> Option<String> {
        let next = self.at(task, path!(ScheduledTask, "info.nextRunTime"));
        next.and_then(|next| next.as_date_time()).map(|next| next.to_string())
    }

    fn previous(&self, task: &MoRef) -> Option<String> {
        let previous = self.at(task, path!(ScheduledTask, "info.prevRunTime"));
        previous.and_then(|time| time.as_date_time()).map(|time| time.to_string())
    }

    fn state(&self, task: &MoRef) -> String {
        self.sim.text(task, path!(ScheduledTask, "info.state"))
    }

    /// The type of the fault of the latest run.
    fn error(&self, task: &MoRef) -> Option<String> {
        let error = self.at(task, path!(ScheduledTask, "info.error"))?;
        let fault = error.as_object()?.at(path!(LocalizedMethodFault, "fault"))?.as_object()?;
        Some(fault.ty().name().to_owned())
    }

    fn power(&self) -> String {
        self.sim.text(&self.vm, POWER)
    }

    fn found(&self, method: Method, args: &[Named]) -> Vec<Value> {
        let answer = self.sim.call(&manager(), method, args).expect("an answer");
        answer.map(|answer| answer.items().to_vec()).unwrap_or_default()
    }

    /// The tasks that runs of `task` made, as method names with entities.
    fn runs(&self, task: &MoRef) -> Vec<(MoRef, Object)> {
        let state = self.sim.snapshot();
        let mut runs: Vec<(MoRef, Object)> = state
            .of_type(ty::Task)
            .filter_map(|(mo, task)| {
                Some((mo.clone(), task.at(path!(Task, "info"))?.as_object()?.clone()))
            })
            .filter(|(_, info)| {
                let reason = info.at(path!(TaskInfo, "reason")).and_then(Value::as_object);
                let by = reason
                    .filter(|reason| reason.ty() == ty::TaskReasonSchedule)
                    .and_then(|reason| reason.at(path!(TaskReasonSchedule, "scheduledTask")));
                by.and_then(Value::as_moref) == Some(task)
            })
            .collect();
        runs.sort_by_key(|(mo, _)| mo.clone());
        runs
    }
}

#[test]
fn a_schedule_runs_at_its_times_and_shows_them() {
    let client = Client::new();
    let task = client.made(spec("nightly", daily(3), call("PowerOffVM_Task")));
    assert!(task.id().starts_with("schedule-"), "{task}");
    assert_eq!((client.state(&task).as_str(), client.previous(&task)), ("queued", None));
    assert_eq!(client.next(&task).as_deref(), Some("2025-01-01T03:00:00Z"));
    client.sim.advance(3 * HOUR - Duration::from_micros(1));
    assert_eq!(client.power(), "poweredOn");
    client.sim.advance(Duration::from_micros(1));
    assert_eq!(client.power(), "poweredOff");
    assert_eq!(client.state(&task), "success");
    assert_eq!(client.previous(&task).as_deref(), Some("2025-01-01T03:00:00Z"));
    assert_eq!(client.next(&task).as_deref(), Some("2025-01-02T03:00:00Z"));
    let (_, run) = client.runs(&task).remove(0);
    let at = |path| run.at(path).cloned();
    assert_eq!(at(path!(TaskInfo, "name")), Some("PowerOffVM_Task".into()));
    assert_eq!(at(path!(TaskInfo, "entity")), Some(client.vm.clone().into()));
    let reason = at(path!(TaskInfo, "reason"));
    assert_eq!(
        reason,
        Some(object!(TaskReasonSchedule { name: "nightly", scheduledTask: &task }).into())
    );
    // The machine is off: the next run fails, and the schedule goes on.
    client.sim.advance(DAY);
    assert_eq!(client.state(&task), "error");
    assert_eq!(client.error(&task).as_deref(), Some("InvalidPowerState"));
    assert_eq!(client.next(&task).as_deref(), Some("2025-01-03T03:00:00Z"));
}

#[test]
fn a_month_passes_in_an_instant() {
    let client = Client::new();
    let off = client.made(spec("off", daily(20), call("powerOff")));
    let on = client.made(spec("on", daily(6), call("PowerOn")));
    client.sim.advance(31 * DAY);
    assert_eq!(client.previous(&off).as_deref(), Some("2025-01-31T20:00:00Z"));
    assert_eq!(client.previous(&on).as_deref(), Some("2025-01-31T06:00:00Z"));
    assert_eq!((client.state(&off).as_str(), client.state(&on).as_str()), ("success", "success"));
    assert_eq!(client.power(), "poweredOff");
}

#[test]
fn runs_can_be_asked_for_and_leave_the_schedule_alone() {
    let client = Client::new();
    let mut disabled = spec("by hand", daily(3), call("PowerOffVM_Task")).edit();
    disabled.set(ty::ScheduledTaskSpec.slot("enabled"), false);
    let task = client.made(disabled.finish());
    assert_eq!(client.next(&task), None);
    client.sim.advance(DAY);
    assert_eq!(client.power(), "poweredOn");
    client.void(&task, method::RunScheduledTask).expect("a run");
    assert_eq!(client.power(), "poweredOff");
    assert_eq!(client.previous(&task).as_deref(), Some("2025-01-02T00:00:00Z"));
    assert_eq!(client.next(&task), None);
    let given = args![spec = spec("by hand", daily(3), call("PowerOnVM_Task"))];
    client.sim.call(&task, method::ReconfigureScheduledTask, given).expect("a change");
    assert_eq!(client.next(&task).as_deref(), Some("2025-01-02T03:00:00Z"));
    client.sim.advance(3 * HOUR);
    assert_eq!(client.power(), "poweredOn");
}

#[test]
fn a_run_that_is_not_over_bars_others_and_changes() {
    let client = Client::with(|config| {
        config.delays.methods.push(("PowerOffVM".to_owned(), 30 * HOUR));
    });
    let task = client.made(spec("slow", daily(3), call("PowerOffVM_Task")));
    client.sim.advance(4 * HOUR);
    let active = client.at(&task, path!(ScheduledTask, "info.activeTask"));
    let runs = client.runs(&task);
    assert_eq!(active.as_ref().and_then(Value::as_moref), Some(&runs[0].0));
    assert_eq!(client.state(&task), "running");
    for method in [method::RunScheduledTask, method::RemoveScheduledTask] {
        let fault = client.void(&task, method).expect_err("a fault");
        assert_eq!(fault.ty(), ty::InvalidState);
    }
    let given = args![spec = spec("slow", daily(4), call("PowerOffVM_Task"))];
    let fault = client.sim.call(&task, method::ReconfigureScheduledTask, given);
    assert_eq!(fault.expect_err("a fault").ty(), ty::InvalidState);
    // The run of the second day is left out.
    client.sim.advance(DAY);
    assert_eq!((client.state(&task).as_str(), client.runs(&task).len()), ("running", 1));
    assert_eq!(client.next(&task).as_deref(), Some("2025-01-03T03:00:00Z"));
    client.sim.advance(6 * HOUR);
    assert_eq!((client.state(&task).as_str(), client.power().as_str()), ("success", "poweredOff"));
    assert_eq!(client.at(&task, path!(ScheduledTask, "info.activeTask")), None);
    client.void(&task, method::RemoveScheduledTask).expect("an end");
    assert!(!client.sim.snapshot().exists(&task));
}

#[test]
fn what_is_removed_does_not_run() {
    let client = Client::new();
    let task = client.made(spec("never", daily(3), call("PowerOffVM_Task")));
    assert_eq!(
        client
            .at(&manager(), path!(ScheduledTaskManager, "scheduledTask"))
            .map(|it| it.items().to_vec()),
        Some(vec![task.clone().into()])
    );
    client.void(&task, method::RemoveScheduledTask).expect("an end");
    client.sim.advance(DAY);
    assert_eq!(client.power(), "poweredOn");
    let left = client.at(&manager(), path!(ScheduledTaskManager, "scheduledTask"));
    assert!(left.is_none_or(|it| it.items().is_empty()));
    assert_eq!(
        client.void(&task, method::RunScheduledTask).expect_err("a fault").ty(),
        ty::ManagedObjectNotFound
    );
}

#[test]
fn a_scheduled_task_goes_with_its_entity() {
    let client = Client::new();
    let other = client.sim.vm("DC0_H0_VM1");
    let own = client.made(spec("own", daily(3), call("PowerOffVM_Task")));
    let kept = client.create(&other, spec("other", daily(3), call("PowerOffVM_Task")));
    let kept = kept.expect("a scheduled task");
    client.sim.done(&client.vm, method::PowerOffVM_Task, args![]);
    client.sim.done(&client.vm, method::Destroy_Task, args![]);
    assert!(!client.sim.snapshot().exists(&own));
    let list = client.at(&manager(), path!(ScheduledTaskManager, "scheduledTask"));
    assert_eq!(list.map(|it| it.items().to_vec()), Some(vec![kept.clone().into()]));
    client.sim.advance(4 * HOUR);
    assert_eq!(client.sim.text(&other, POWER), "poweredOff");
    // A schedule may destroy what it is for.
    let last = client.create(&other, spec("last", once("2025-01-02T00:00:00Z"), call("destroy")));
    let last = last.expect("a scheduled task");
    client.sim.advance(DAY);
    let state = client.sim.snapshot();
    assert!(![&other, &kept, &last].into_iter().any(|mo| state.exists(mo)));
}

#[test]
fn methods_without_a_task_run_at_once() {
    let client = Client::new();
    let task = client.made(spec("soft", once("2025-01-01T01:00:00Z"), call("ShutdownGuest")));
    client.sim.advance(HOUR);
    assert_eq!((client.power().as_str(), client.state(&task).as_str()), ("poweredOff", "success"));
    assert_eq!((client.next(&task), client.runs(&task).len()), (None, 0));
    client.void(&task, method::RunScheduledTask).expect("a run");
    assert_eq!(client.error(&task).as_deref(), Some("InvalidPowerState"));
    // A time that is not given is now.
    let now = client.made(spec("now", object!(OnceTaskScheduler {}), call("PowerOnVM_Task")));
    assert_eq!((client.power().as_str(), client.state(&now).as_str()), ("poweredOn", "success"));
}

#[test]
fn arguments_go_to_parameters_in_order() {
    let client = Client::new();
    let name = vec![Some("renamed".into())];
    let task =
        client.made(spec("name", once("2025-01-01T01:00:00Z"), call_with("Rename_Task", name)));
    client.sim.advance(HOUR);
    assert_eq!(client.state(&task), "success");
    assert_eq!(client.sim.text(&client.vm, path!(ManagedEntity, "name")), "renamed");
    let action = |name, values| client.refused(spec("x", daily(1), call_with(name, values)));
    assert_eq!(action("Rename_Task", vec![]), "spec.action.argument");
    assert_eq!(action("Rename_Task", vec![Some(7.into())]), "spec.action.argument");
    assert_eq!(action("PowerOffVM_Task", vec![Some(7.into())]), "spec.action.argument");
    assert_eq!(action("EnterMaintenanceMode_Task", vec![]), "spec.action.name");
    assert_eq!(action("NoSuchThing", vec![]), "spec.action.name");
    assert_eq!(action("RunScheduledTask", vec![]), "spec.action.name");
}

#[test]
fn a_container_stands_for_what_it_contains() {
    let client = Client::new();
    let folder = client.sim.snapshot().moref(&client.vm, path!(VirtualMachine, "parent")).cloned();
    let folder = folder.expect("a folder");
    let task = client.create(&folder, spec("all", daily(3), call("PowerOffVM_Task")));
    let task = task.expect("a scheduled task");
    client.sim.advance(3 * HOUR);
    let state = client.sim.snapshot();
    let machines: Vec<&MoRef> = state.of_type(ty::VirtualMachine).map(|(mo, _)| mo).collect();
    assert!(machines.iter().all(|vm| state.text(vm, POWER) == "poweredOff"));
    // One task for each machine, and one above them.
    assert_eq!(client.runs(&task).len(), machines.len() + 1);
    assert_eq!(client.state(&task), "success");
    client.sim.advance(DAY);
    assert_eq!(client.error(&task).as_deref(), Some("InvalidPowerState"));
}

#[test]
fn an_extension_ends_the_task_that_a_schedule_made() {
    let client = Client::new();
    let kind = "org.example.sweep";
    let refused = object!(CreateTaskAction { taskTypeId: kind, cancelable: false });
    assert_eq!(client.refused(spec("x", daily(1), refused)), "spec.action.taskTypeId");
    let extension = object!(Extension {
        key: "org.example",
        version: "1",
        description: object!(Description { label: "Example", summary: "Example" }),
        lastHeartbeatTime: time("2025-01-01T00:00:00Z"),
        taskList: vec![object!(ExtensionTaskTypeInfo { taskID: kind })],
    });
    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    let given = args![extension = extension];
    client.sim.call(&extensions, method::RegisterExtension, given).expect("an extension");
    let action = object!(CreateTaskAction { taskTypeId: kind, cancelable: true });
    let task = client.made(spec("sweep", daily(3), action));
    client.sim.advance(4 * HOUR);
    let (mo, _) = client.runs(&task).remove(0);
    assert_eq!(client.state(&task), "queued");
    let set = |given: &[Named]| {
        client.sim.call(&mo, method::SetTaskState, given).expect("a change");
    };
    set(args![state = "running".to_owned()]);
    assert_eq!(client.state(&task), "running");
    client.sim.call(&mo, method::UpdateProgress, args![percentDone = 40]).expect("a change");
    assert_eq!(client.at(&task, path!(ScheduledTask, "info.progress")), Some(40.into()));
    set(args![state = "success".to_owned(), result = "clean".to_owned()]);
    assert_eq!(client.state(&task), "success");
    assert_eq!(client.at(&task, path!(ScheduledTask, "info.result")), Some("clean".into()));
    assert_eq!(client.at(&task, path!(ScheduledTask, "info.progress")), None);
}

#[test]
fn what_leaves_the_server_is_not_done() {
    let client = Client::new();
    let mail = object!(SendEmailAction { toList: "a", ccList: "b", subject: "c", body: "d" });
    for (name, action) in [
        ("mail", mail),
        ("script", object!(RunScriptAction { script: "/bin/true" })),
        ("trap", object!(SendSNMPAction {})),
    ] {
        let task = client.made(spec(name, once("2025-01-01T00:00:00Z"), action));
        assert_eq!(client.error(&task).as_deref(), Some("NotSupported"), "{name}");
        assert_eq!(client.previous(&task).as_deref(), Some("2025-01-01T00:00:00Z"));
    }
}

#[test]
fn names_are_checked() {
    let client = Client::new();
    let off = || call("PowerOffVM_Task");
    let first = client.made(spec("taken", daily(1), off()));
    let second = client.made(spec("free", daily(1), off()));
    let other = client.sim.vm("DC0_H0_VM1");
    let fault = client.create(&other, spec("taken", daily(1), off())).expect_err("a fault");
    assert_eq!(fault.ty(), ty::DuplicateName);
    assert_eq!(fault.object().at(path!(DuplicateName, "object")), Some(&Value::from(&first)));
    let rename = |task: &MoRef| {
        let given = args![spec = spec("taken", daily(2), off())];
        client.sim.call(task, method::ReconfigureScheduledTask, given)
    };
    assert_eq!(rename(&second).expect_err("a fault").ty(), ty::DuplicateName);
    rename(&first).expect("its own name");
    for name in ["", "  ", &"x".repeat(81)] {
        let fault = client.create(&other, spec(name, daily(1), off())).expect_err("a fault");
        assert_eq!(fault.ty(), ty::InvalidName, "{name}");
    }
}

#[test]
fn schedulers_that_make_no_sense_are_named() {
    let client = Client::new();
    let (early, late) = (time("2025-01-01T00:00:00Z"), time("2025-01-02T00:00:00Z"));
    let no_day = object!(WeeklyTaskScheduler {
        interval: 1,
        minute: 0,
        hour: 0,
        sunday: false,
        monday: false,
        tuesday: false,
        wednesday: false,
        thursday: false,
        friday: false,
        saturday: false,
    });
    for (place, scheduler) in [
        ("runAt", once("2024-12-31T23:59:59Z")),
        ("minute", object!(AfterStartupTaskScheduler { minute: -1 })),
        ("minute", object!(HourlyTaskScheduler { interval: 1, minute: 60 })),
        ("interval", object!(HourlyTaskScheduler { interval: 0, minute: 0 })),
        ("interval", object!(HourlyTaskScheduler { interval: 1000, minute: 0 })),
        ("hour", object!(DailyTaskScheduler { interval: 1, minute: 0, hour: 24 })),
        ("sunday", no_day),
        ("day", object!(MonthlyByDayTaskScheduler { interval: 1, minute: 0, hour: 0, day: 32 })),
        ("day", object!(MonthlyByDayTaskScheduler { interval: 1, minute: 0, hour: 0, day: 0 })),
        (
            "expireTime",
            object!(DailyTaskScheduler {
                interval: 1,
                minute: 0,
                hour: 0,
                activeTime: late,
                expireTime: early,
            }),
        ),
    ] {
        let refused = client.refused(spec("x", scheduler, call("PowerOffVM_Task")));
        assert_eq!(refused, format!("spec.scheduler.{place}"));
    }
    let abstract_ones = [
        object!(TaskScheduler {}),
        object!(RecurrentTaskScheduler { interval: 1 }),
        object!(MonthlyTaskScheduler { interval: 1, minute: 0, hour: 0 }),
    ];
    for scheduler in abstract_ones {
        let refused = client.refused(spec("x", scheduler, call("PowerOffVM_Task")));
        assert_eq!(refused, "spec.scheduler");
    }
    assert_eq!(client.refused(spec("x", daily(0), object!(Action {}))), "spec.action");
    assert_eq!(
        client
            .at(&manager(), path!(ScheduledTaskManager, "scheduledTask"))
            .map(|it| it.items().len()),
        Some(0)
    );
}

#[test]
fn every_scheduler_says_when_it_runs_next() {
    let client = Client::new();
    let (active, expire) = (time("2025-03-01T00:00:00Z"), time("2025-03-01T12:00:00Z"));
    let friday = object!(WeeklyTaskScheduler {
        interval: 1,
        minute: 30,
        hour: 8,
        sunday: false,
        monday: false,
        tuesday: false,
        wednesday: false,
        thursday: false,
        friday: true,
        saturday: false,
    });
    let last_sunday = object!(MonthlyByWeekdayTaskScheduler {
        interval: 1,
        minute: 0,
        hour: 2,
        offset: "last",
        weekday: "sunday",
    });
    let schedulers = [
        (once("2025-06-01T10:00:30Z"), Some("2025-06-01T10:00:30Z")),
        (object!(AfterStartupTaskScheduler { minute: 90 }), Some("2025-01-01T01:30:00Z")),
        (object!(HourlyTaskScheduler { interval: 1, minute: 5 }), Some("2025-01-01T00:05:00Z")),
        (daily(0), Some("2025-01-02T00:00:00Z")),
        (friday, Some("2025-01-03T08:30:00Z")),
        (
            object!(MonthlyByDayTaskScheduler { interval: 2, minute: 0, hour: 0, day: 31 }),
            Some("2025-01-31T00:00:00Z"),
        ),
        (last_sunday, Some("2025-01-26T02:00:00Z")),
        (
            object!(DailyTaskScheduler {
                interval: 1,
                minute: 0,
                hour: 11,
                activeTime: active,
                expireTime: expire,
            }),
            Some("2025-03-01T11:00:00Z"),
        ),
        (
            object!(DailyTaskScheduler {
                interval: 1,
                minute: 0,
                hour: 13,
                activeTime: active,
                expireTime: expire,
            }),
            None,
        ),
    ];
    for (number, (scheduler, expected)) in schedulers.into_iter().enumerate() {
        let shown = format!("{scheduler:?}");
        let task = client.made(spec(&format!("{number}"), scheduler, call("ResetVM_Task")));
        assert_eq!(client.next(&task).as_deref(), expected, "{shown}");
    }
    // The server has started long ago when this one is made.
    client.sim.advance(HOUR);
    let missed = object!(AfterStartupTaskScheduler { minute: 10 });
    let missed = client.made(spec("missed", missed, call("ResetVM_Task")));
    assert_eq!(client.next(&missed), None);
}

#[test]
fn scheduled_tasks_are_found_by_entity_and_object() {
    let client = Client::new();
    let task = client.made(spec("own", daily(3), call("PowerOffVM_Task")));
    let tasks = client.sim.snapshot();
    let tasks = tasks.of_type(ty::TaskManager).next().expect("a manager").0.clone();
    let action = call_with("setCustomValue", vec![Some("a".into()), Some("b".into())]);
    assert_eq!(
        client.create(&tasks, spec("x", daily(1), action)).expect_err("a fault").ty(),
        ty::InvalidArgument
    );
    let extensions = MoRef::new(ty::ExtensionManager, "ExtensionManager");
    let action = call_with("FindExtension", vec![Some("none".into())]);
    let given = args![obj = extensions.clone(), spec = spec("object", daily(3), action)];
    let made = client.sim.call(&manager(), method::CreateObjectScheduledTask, given);
    let made = made.expect("an answer").expect("a scheduled task");
    let (of_entity, of_object) =
        (method::RetrieveEntityScheduledTask, method::RetrieveObjectScheduledTask);
    assert_eq!(client.found(of_entity, args![]), [Value::from(&task), made.clone()]);
    assert_eq!(client.found(of_entity, args![entity = client.vm.clone()]), [Value::from(&task)]);
    assert_eq!(client.found(of_object, args![obj = extensions]), std::slice::from_ref(&made));
    assert_eq!(client.found(of_object, args![obj = tasks]), []);
    let made = made.as_moref().expect("a reference");
    let entity = client.at(made, path!(ScheduledTask, "info.entity"));
    let root = client.sim.service.content().root_folder.clone();
    assert_eq!(entity, Some(root.into()));
}

/// A client who has one role, on everything.
fn client_with_role(role: &str) -> Client {
    let users = format!(
        r#"{{
            "users": {{"tester": {{"password": "secret"}}, "root": {{"password": "toor"}}}},
            "roles": {{"Planner": ["ScheduledTask.*"]}},
            "permissions": [
                {{"user": "root", "role": "Admin"}},
                {{"user": "tester", "role": "{role}"}}
            ]
        }}"#
    );
    Client::with(|config| {
        config.access = Some(vimsim::config::Access::parse(&users).expect("users"));
    })
}

#[test]
fn a_run_may_do_what_its_user_may() {
    let reader = client_with_role("ReadOnly");
    let refused = reader.create(&reader.vm, spec("x", daily(3), call("PowerOffVM_Task")));
    let refused = refused.expect_err("a fault");
    let lacking = refused.object().at(path!(NoPermission, "privilegeId"));
    assert_eq!(lacking, Some(&"ScheduledTask.Create".into()));
    let planner = client_with_role("Planner");
    let task = planner.made(spec("beyond", daily(3), call("PowerOffVM_Task")));
    assert_eq!(planner.found(method::RetrieveEntityScheduledTask, args![]), [Value::from(&task)]);
    planner.sim.advance(4 * HOUR);
    assert_eq!((planner.power().as_str(), planner.state(&task).as_str()), ("poweredOn", "error"));
    assert_eq!(planner.error(&task).as_deref(), Some("NoPermission"));
    assert_eq!(planner.next(&task).as_deref(), Some("2025-01-02T03:00:00Z"));
}

#[test]
fn a_cancelled_run_is_a_failed_one() {
    let slow = Client::with(|config| {
        config.delays.methods.push(("CloneVM".to_owned(), HOUR));
    });
    let clone = object!(VirtualMachineCloneSpec {
        location: object!(VirtualMachineRelocateSpec {}),
        powerOn: false,
        template: false,
    });
    let folder = slow.at(&slow.vm, path!(VirtualMachine, "parent"));
    let action = call_with("CloneVM_Task", vec![folder, Some("twin".into()), Some(clone.into())]);
    let task = slow.made(spec("clone", daily(3), action));
    slow.sim.advance(3 * HOUR + HOUR / 2);
    let (run, _) = slow.runs(&task).remove(0);
    slow.void(&run, method::CancelTask).expect("a wish");
    assert_eq!(slow.error(&task).as_deref(), Some("RequestCanceled"));
    assert_eq!(slow.at(&task, path!(ScheduledTask, "info.activeTask")), None);
    slow.void(&task, method::RemoveScheduledTask).expect("an end");
}

#[test]
fn a_saved_inventory_keeps_its_schedules() {
    let client = Client::with(|config| {
        config.delays.methods.push(("PowerOffVM".to_owned(), 2 * DAY));
    });
    let task = client.made(spec("kept", daily(3), call("PowerOffVM_Task")));
    let startup = object!(AfterStartupTaskScheduler { minute: 5 });
    let startup = client.made(spec("startup", startup, call("ResetVM_Task")));
    client.sim.advance(4 * HOUR);
    assert_eq!((client.state(&task).as_str(), client.next(&startup)), ("running", None));
    let state = client.sim.snapshot();
    let saved = state.iter().map(|(mo, properties)| {
        let properties = properties.iter().map(|(field, value)| {
            object!(DynamicProperty { name: field.name(), val: value.clone() })
        });
        object!(ObjectContent { obj: mo, propSet: properties.collect::<Vec<_>>() })
    });
    let saved: Vec<Object> = saved.collect();
    let config =
        vimsim::Config { clock: vimsim::config::ClockMode::Stepped, ..vimsim::Config::default() };
    let service = vimsim::vsphere::Service::with_saved(config, &saved).expect("a service");
    let state = |mo: &MoRef, path| service.engine().snapshot().at(mo, path).cloned();
    let next = path!(ScheduledTask, "info.nextRunTime");
    assert_eq!(state(&task, next), Some(time("2025-01-01T03:00:00Z").into()));
    assert_eq!(state(&startup, next), Some(time("2025-01-01T00:05:00Z").into()));
    service.engine().advance(4 * HOUR).expect("a stepped clock");
    assert_eq!(state(&client.vm, POWER).as_ref().and_then(Value::as_str), Some("poweredOff"));
    let ended = state(&task, path!(ScheduledTask, "info.state"));
    assert_eq!(ended.as_ref().and_then(Value::as_str), Some("success"));
}
