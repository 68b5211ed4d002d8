//! `AlarmManager` and `Alarm`: what notices that something is not as it should
//! be, tells of it, and does something about it.
//!
//! ```text
//!   a commit touches an entity, or posts an event ──► watch, in the same commit
//!                                                       │ expression, by what was
//!                                                       ▼ remembered of the entity
//!              gray ─┐   trigger    ┌──────────┐    the status is another one:
//!                    ├────────────► │  yellow  │    AlarmStatusChangedEvent, the
//!             green ─┘ ◄─────────── │  or red  │    entity and all above it show it
//!               ▲        is well    └──────────┘        │
//!               ╰── reset; acknowledged no more         ▼
//!                                        actions, by `run`: a task with TaskReasonAlarm
//!   time: how long a number is beyond a bound, the pause after a trigger,
//!         actions that repeat ──► one timer, for the earliest
//! ```
//!
//! - `status`, `expression`, `counter`: what colour something is; pure
//! - `definition`, `trigger`: reading what a client wants
//! - `table`: what is known; part of every snapshot
//! - `watch`: what a commit means for it
//! - `run`: what happens by itself afterwards
//! - `show`: the properties that follow; `moments`: the events
//! - `manager`: the methods
//!
//! Nothing looks twice at what has not changed: a commit costs what it touches,
//! times the alarms that look at such entities, and nothing without an alarm.
//! An alarm that is new, or a folder that has moved, has everything below it
//! looked at once, in lots, while others get their turn. Only what there is to
//! note is kept; all else is worked out when somebody asks.
//!
//! Choices where the documents leave one:
//!
//! - Whoever watches `declaredAlarmState` is told when something is noted, not
//!   when an alarm is declared above; the reference promises neither.
//! - Which entities: those below the alarm's own of the types that its
//!   expression names, in folders, in pools, and machines on hosts. An event
//!   without an object type is one of the alarm's own entity.
//! - `StateAlarmExpression.statePath` may be any property with a single value,
//!   not only the three that the reference names. One that is not set is gray,
//!   like a number that nobody knows; see `counter` for the numbers there are.
//! - Between gray and green no event is posted, and no action done.
//! - An event without a `status` triggers nothing, but does the actions of the
//!   alarm each time, whatever their changes of colour.
//! - `toleranceRange` counts in one direction: it moves the bounds away, of
//!   percentages by so many points, of other numbers by that part of the bound.
//!   `reportingFrequency` is for what is looked at, not for events; a trigger
//!   that comes too early is noticed when the pause is over.
//! - `ClearTriggeredAlarms` makes alarms green until what they look at changes.
//!   `AcknowledgeAlarm` of what is not triggered, or acknowledged already, does
//!   nothing. Actions are not done for an entity where `alarmActionsEnabled` is
//!   false, there or anywhere above it.
//! - Actions are done with what the user may do who last modified the alarm.
//!   Those of one alarm on one entity are at least a second apart, and the
//!   events of alarms set off no alarms, so what sets itself off cannot stop
//!   the server.
//! - Nothing leaves the server: a `RunScriptAction` counts as run, a
//!   `SendSNMPAction` as sent, and a `SendEmailAction` too if the setting
//!   `mail.smtp.server` names somebody; otherwise it has failed.
//! - There are no alarms from the start. Most of those of a new vCenter watch
//!   hardware and services that do not exist here, and each would be in
//!   `declaredAlarmState` of every entity, for all who read that.

mod counter;
mod definition;
mod expression;
mod manager;
mod moments;
mod run;
mod show;
mod status;
mod table;
mod trigger;
mod watch;

pub(super) use manager::METHODS;
pub(super) use run::{Alarms, Watcher};
pub(super) use show::entity_properties;
