//! Alarms as a client makes them, with time passing in steps.

mod actions;
mod kept;
mod metrics;
mod notes;
mod occurrences;
mod states;

use std::time::Duration;

use vimsim::engine::{events_in, tasks_in};
use vimsim::event::EventRecord;
use vimsim::fault::Fault;
use vimsim::schema::{Type, method, ty};
use vimsim::task::Reason;
use vimsim::value::{MoRef, Object, Value};
use vimsim::{Config, object, path};

use crate::operations::{Sim, args};

fn manager() -> MoRef {
    MoRef::new(ty::AlarmManager, "AlarmManager")
}

/// Red when a machine is off, yellow when it is suspended.
fn is_off() -> Object {
    object!(StateAlarmExpression {
        operator: "isEqual",
        type: "VirtualMachine",
        statePath: "runtime.powerState",
        yellow: "suspended",
        red: "poweredOff",
    })
}

fn spec(name: &str, expression: Object) -> Object {
    object!(AlarmSpec {
        name: name,
        description: "for a test",
        enabled: true,
        expression: expression,
    })
}

fn with_action(spec: &Object, action: Object) -> Object {
    spec.with(const { ty::AlarmSpec.slot("action") }, action)
}

/// An action at changes of colour, as in `&[("green", "red")]`.
fn at(changes: &[(&str, &str)], repeats: bool, action: Object) -> Object {
    let specs: Vec<Object> = changes
        .iter()
        .map(|(from, to)| {
            object!(AlarmTriggeringActionTransitionSpec {
                startState: *from,
                finalState: *to,
                repeats: repeats,
            })
        })
        .collect();
    object!(AlarmTriggeringAction {
        action: action,
        transitionSpecs: specs,
        green2yellow: false,
        yellow2red: false,
        red2yellow: false,
        yellow2green: false,
    })
}

fn power_on() -> Object {
    object!(MethodAction {
        name: "PowerOnVM_Task",
        argument: vec![object!(MethodActionArgument {})]
    })
}

struct Client {
    sim: Sim,
    vm: MoRef,
    root: MoRef,
}

impl Client {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(settings: impl FnOnce(&mut Config)) -> Self {
        Self::of(Sim::with(settings))
    }

    fn of(sim: Sim) -> Self {
        let (vm, root) = (sim.vm("DC0_H0_VM0"), sim.service.content().root_folder.clone());
        Self { sim, vm, root }
    }

    fn create(&self, entity: &MoRef, spec: Object) -> Result<MoRef, Fault> {
        let given = args![entity = entity.clone(), spec = spec];
        let made = self.sim.call(&manager(), method::CreateAlarm, given)?;
        Ok(made.as_ref().and_then(Value::as_moref).expect("an alarm").clone())
    }

    fn made(&self, entity: &MoRef, spec: Object) -> MoRef {
        self.create(entity, spec).expect("an alarm")
    }

    fn power(&self, on: bool) {
        let method = if on { method::PowerOnVM_Task } else { method::PowerOffVM_Task };
        self.sim.done(&self.vm, method, args![]);
    }

    fn advance(&self, seconds: u64) {
        self.sim.advance(Duration::from_secs(seconds));
    }

    /// What an entity shows as triggered: alarm, entity, status.
    fn triggered(&self, mo: &MoRef) -> Vec<(MoRef, MoRef, String)> {
        let shown = self.sim.shown(mo, path!(ManagedEntity, "triggeredAlarmState"));
        states(&shown.expect("a list"))
    }

    /// What an entity says of an alarm that it has or inherits.
    fn declared(&self, mo: &MoRef, alarm: &MoRef) -> Option<Object> {
        let shown = self.sim.shown(mo, path!(ManagedEntity, "declaredAlarmState")).expect("a list");
        let mut all = shown.items().iter().filter_map(Value::as_object);
        all.find(|it| it.at(path!(AlarmState, "alarm")).and_then(Value::as_moref) == Some(alarm))
            .cloned()
    }

    fn status(&self, mo: &MoRef, alarm: &MoRef) -> String {
        let state = self.declared(mo, alarm).expect("a state");
        word(&state, "overallStatus")
    }

    /// All events of a type.
    fn events(&self, of: Type) -> Vec<Object> {
        let state = self.sim.snapshot();
        let log = events_in(&state).expect("a log");
        log.iter().filter(|it| it.ty.is_a(of)).map(|it| EventRecord::builder(it).finish()).collect()
    }

    /// The changes of colour, as `green to red`.
    fn changes(&self) -> Vec<String> {
        let all = self.events(ty::AlarmStatusChangedEvent);
        all.iter().map(|it| format!("{} to {}", word(it, "from"), word(it, "to"))).collect()
    }

    /// The tasks that an alarm made, with what they act on.
    fn tasks(&self, alarm: &MoRef) -> Vec<(MoRef, String)> {
        let state = self.sim.snapshot();
        let all = tasks_in(&state).expect("tasks").iter();
        all.filter_map(|task| match &task.reason {
            Reason::Alarm { alarm: by, entity, .. } if by == alarm => {
                Some((entity.clone(), task.description_id.to_string()))
            }
            _ => None,
        })
        .collect()
    }
}

fn states(list: &Value) -> Vec<(MoRef, MoRef, String)> {
    let mo = |state: &Object, path| state.at(path).and_then(Value::as_moref).cloned();
    let all = list.items().iter().filter_map(Value::as_object);
    all.filter_map(|state| {
        let alarm = mo(state, path!(AlarmState, "alarm"))?;
        Some((alarm, mo(state, path!(AlarmState, "entity"))?, word(state, "overallStatus")))
    })
    .collect()
}

fn word(object: &Object, field: &str) -> String {
    object.field(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
