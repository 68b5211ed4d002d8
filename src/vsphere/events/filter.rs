//! `EventFilterSpec`: which events somebody wants.
//!
//! All parts that are set must hold; of a list, one of its values. An empty
//! list is one that is not set.

use std::ops::Range;

use serde::Deserialize;

use super::description::category;
use crate::event::{EventLog, EventRecord};
use crate::fault::Fault;
use crate::schema::{Type, ty};
use crate::task::Reason;
use crate::value::{DateTime, MoRef, Object, Value, bridge};

/// An `EventFilterSpec`, as far as it is asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    entity: Option<ByEntity>,
    time: Option<ByTime>,
    user_name: Option<ByUsername>,
    event_chain_id: Option<i32>,
    alarm: Option<MoRef>,
    scheduled_task: Option<MoRef>,
    #[serde(default)]
    disable_full_message: bool,
    #[serde(default)]
    category: Vec<String>,
    #[serde(default)]
    r#type: Vec<String>,
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default)]
    event_type_id: Vec<String>,
    max_count: Option<i32>,
    #[serde(default)]
    delayed_init: bool,
}

#[derive(Debug, Deserialize)]
struct ByEntity {
    entity: MoRef,
    recursion: Recursion,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum Recursion {
    #[serde(rename = "self")]
    Itself,
    Children,
    All,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByTime {
    begin_time: Option<DateTime>,
    end_time: Option<DateTime>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByUsername {
    system_user: bool,
    #[serde(default)]
    user_list: Vec<String>,
}

/// The most events that are given at once.
pub(super) const MOST: usize = 1000;

/// Which events somebody wants.
#[derive(Debug)]
pub(super) struct EventFilter {
    root: MoRef,
    entity: Option<ByEntity>,
    time: Option<ByTime>,
    user: Option<ByUsername>,
    chain: Option<i32>,
    alarm: Option<MoRef>,
    scheduled_task: Option<MoRef>,
    categories: Vec<String>,
    types: Option<Types>,
    type_ids: Option<Types>,
    tags: Vec<String>,
    /// Whether the message is wanted. The reference says that it is left out
    /// unless the flag is set to false; every client takes it for granted and
    /// real servers send it, so only a flag that is true leaves it out.
    pub(super) message: bool,
    /// How many events are wanted.
    pub(super) count: Option<usize>,
    /// Whether the first page need not be there at once.
    pub(super) delayed: bool,
}

/// Types of events, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::vsphere) struct Types {
    types: Vec<Type>,
    /// Names that extensions made up.
    others: Vec<String>,
}

impl Types {
    /// The types with these names, which may be those of WSDL or of vmodl.
    pub(in crate::vsphere) fn named(names: Vec<String>) -> Option<Self> {
        if names.is_empty() {
            return None;
        }
        let (mut types, mut others) = (Vec::new(), Vec::new());
        for name in names {
            let ty = Type::by_name(&name).or_else(|| Type::by_vmodl(&name));
            match ty.filter(|ty| ty.is_a(ty::Event)) {
                Some(ty) => types.push(ty),
                None => others.push(name),
            }
        }
        Some(Self { types, others })
    }

    /// Whether the schema has all of them.
    pub(in crate::vsphere) fn are_known(&self) -> bool {
        self.others.is_empty()
    }

    /// Whether an event is of one of the types, or of one derived from it; one
    /// that an extension has defined may be named by the extension's id.
    pub(in crate::vsphere) fn hold(&self, event: &EventRecord) -> bool {
        let own = if event.ty.is_a(ty::EventEx) {
            event.get(const { ty::EventEx.slot("eventTypeId") })
        } else if event.ty.is_a(ty::ExtendedEvent) {
            event.get(const { ty::ExtendedEvent.slot("eventTypeId") })
        } else {
            None
        };
        let is_own = |name: &str| own.and_then(Value::as_str) == Some(name);
        self.types.iter().any(|ty| event.ty.is_a(*ty))
            || self.others.iter().any(|name| is_own(name))
    }
}

impl EventFilter {
    /// The filter that an `EventFilterSpec` describes; `root` is the root
    /// folder. An entity need not exist any more: its events are remembered.
    pub(super) fn new(spec: &Object, root: &MoRef) -> Result<Self, Fault> {
        let spec: Spec = bridge::from_object(spec)?;
        let types = Types::named(spec.r#type);
        if types.as_ref().is_some_and(|types| !types.are_known()) {
            return Err(Fault::invalid_argument("filter.type"));
        }
        let count = spec.max_count.unwrap_or_default();
        let count = usize::try_from(count).ok().filter(|count| *count <= MOST);
        let count = count.ok_or_else(|| Fault::invalid_argument("filter.maxCount"))?;
        Ok(Self {
            root: root.clone(),
            entity: spec.entity,
            time: spec.time,
            user: spec.user_name,
            // Clients that know no unset numbers send zero.
            chain: spec.event_chain_id.filter(|chain| *chain != 0),
            alarm: spec.alarm,
            scheduled_task: spec.scheduled_task,
            categories: spec.category,
            types,
            type_ids: Types::named(spec.event_type_id),
            tags: spec.tag,
            message: !spec.disable_full_message,
            count: (count > 0).then_some(count),
            delayed: spec.delayed_init,
        })
    }

    /// The places in the log outside of which no event passes.
    pub(super) fn span(&self, log: &EventLog) -> Range<usize> {
        let begin = self.time.as_ref().and_then(|time| time.begin_time);
        let end = self.time.as_ref().and_then(|time| time.end_time);
        let begin = begin.map_or(0, |begin| log.partition_point(|event| event.time < begin));
        let chain = self.chain.map_or(0, |chain| log.partition_point(|event| event.key < chain));
        let end = end.map_or(log.len(), |end| log.partition_point(|event| event.time <= end));
        begin.max(chain)..end
    }

    /// Whether an event passes.
    pub(super) fn passes(&self, event: &EventRecord) -> bool {
        self.chain.is_none_or(|chain| event.chain == chain)
            && self.types.as_ref().is_none_or(|types| types.hold(event))
            && self.type_ids.as_ref().is_none_or(|types| types.hold(event))
            && self.entity.as_ref().is_none_or(|by| self.is_of(event, by))
            && self.time.as_ref().is_none_or(|time| time.holds(event))
            && self.user.as_ref().is_none_or(|user| user.holds(event))
            && self.is_in_category(event)
            && self.has_tag(event)
            && self.alarm.as_ref().is_none_or(|alarm| alarm_of(event) == Some(alarm))
            && self.scheduled_task.as_ref().is_none_or(|task| schedule_of(event) == Some(task))
    }

    /// Whether an event is of an entity: about it, or about something below.
    ///
    /// A folder or a pool stands for what is in it, whatever the recursion, as
    /// the reference says; and the root folder for the server too.
    fn is_of(&self, event: &EventRecord, by: &ByEntity) -> bool {
        let entity = &by.entity;
        let below = || event.scene.above().contains(entity);
        let itself = match event.scene.about() {
            Some(about) => about == entity,
            None => *entity == self.root,
        };
        let of = entity.ty();
        let stands_for_content = of.is_a(ty::Folder) || of.is_a(ty::ResourcePool);
        match by.recursion {
            Recursion::Itself => itself || (stands_for_content && below()),
            Recursion::Children => below(),
            Recursion::All => itself || below(),
        }
    }

    fn is_in_category(&self, event: &EventRecord) -> bool {
        let wanted = &self.categories;
        wanted.is_empty() || wanted.iter().any(|wanted| wanted == category(event))
    }

    /// A blank tag stands for events without one.
    fn has_tag(&self, event: &EventRecord) -> bool {
        let tag = event.tag.as_deref().unwrap_or_default();
        self.tags.is_empty() || self.tags.iter().any(|wanted| wanted == tag)
    }
}

impl ByTime {
    fn holds(&self, event: &EventRecord) -> bool {
        self.begin_time.is_none_or(|begin| begin <= event.time)
            && self.end_time.is_none_or(|end| event.time <= end)
    }
}

impl ByUsername {
    /// Nobody's events are the system's. A list that is not set is every user.
    fn holds(&self, event: &EventRecord) -> bool {
        if event.user.is_empty() {
            return self.system_user;
        }
        let listed = |name: &String| name.eq_ignore_ascii_case(&event.user);
        self.user_list.is_empty() || self.user_list.iter().any(listed)
    }
}

/// The alarm that an event is about, or that made the task that it is about.
fn alarm_of(event: &EventRecord) -> Option<&MoRef> {
    if let Some(Reason::Alarm { alarm, .. }) = event.task.as_ref().map(|task| &task.reason) {
        return Some(alarm);
    }
    if !event.ty.is_a(ty::AlarmEvent) {
        return None;
    }
    let argument = event.get(const { ty::AlarmEvent.slot("alarm") })?.as_object()?;
    argument.at(crate::path!(AlarmEventArgument, "alarm"))?.as_moref()
}

/// The same for a scheduled task.
fn schedule_of(event: &EventRecord) -> Option<&MoRef> {
    let reason = event.task.as_ref().map(|task| &task.reason);
    if let Some(Reason::Schedule { scheduled_task, .. }) = reason {
        return Some(scheduled_task);
    }
    if !event.ty.is_a(ty::ScheduledTaskEvent) {
        return None;
    }
    let argument =
        event.get(const { ty::ScheduledTaskEvent.slot("scheduledTask") })?.as_object()?;
    argument.at(crate::path!(ScheduledTaskEventArgument, "scheduledTask"))?.as_moref()
}
