//! One event: what kind, when, by whom, where, and what else is to be said.
//!
//! An instance of an event type has a slot for everything that any event could
//! say, most of them empty, and its message repeats the rest in words. A record
//! keeps the fields that are set; events that happened in the same place share
//! the description of it. A few hundred bytes less each, and nothing is lost.

use std::sync::Arc;

use crate::schema::{Type, ty};
use crate::task::TaskRecord;
use crate::value::{DateTime, MoRef, Object, ObjectBuilder, Str, Value};

/// A field that is set, by its slot.
type Set = (u16, Value);

/// Where something happened: the objects involved, as they were called then.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    fields: Box<[Set]>,
    about: Option<MoRef>,
    above: Arc<[MoRef]>,
}

impl Scene {
    /// A scene of the event that has `arguments`, whose fields are those of
    /// every event. It is about `about`, below everything that `above` names.
    pub fn new(arguments: &Object, about: Option<MoRef>, above: Arc<[MoRef]>) -> Self {
        let common = ty::Event.fields().len();
        Self { fields: set_fields(arguments, |slot| slot < common), about, above }
    }

    /// What the event is about; nothing if that is the server itself.
    pub fn about(&self) -> Option<&MoRef> {
        self.about.as_ref()
    }

    /// Everything that stood above that in the inventory.
    pub fn above(&self) -> &[MoRef] {
        &self.above
    }
}

/// What is known of an event before it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// The type of the event.
    pub ty: Type,
    /// Where it happened.
    pub scene: Scene,
    fields: Box<[Set]>,
    /// The task whose beginning or end it tells of, as it was then.
    pub task: Option<Arc<TaskRecord>>,
    /// The chain that it continues; nothing: that of the task at work, or one
    /// of its own.
    pub chain: Option<i32>,
    /// Who caused it; nothing: who caused the task at work, or nobody.
    pub user: Option<Str>,
    /// What its author called the operation.
    pub tag: Option<Str>,
}

impl EventDraft {
    /// What `event` says, in a scene. Of the fields that every event has, those
    /// of the scene count.
    pub fn new(event: &Object, scene: Scene) -> Self {
        debug_assert!(event.ty().is_a(ty::Event), "{} is no event", event.ty());
        let common = ty::Event.fields().len();
        let fields = set_fields(event, |slot| slot >= common);
        Self { ty: event.ty(), scene, fields, task: None, chain: None, user: None, tag: None }
    }
}

/// The fields of `object` that are set, in the slots that `which` takes.
fn set_fields(object: &Object, which: impl Fn(usize) -> bool) -> Box<[Set]> {
    let set = object.slots().iter().enumerate().filter(|(slot, _)| which(*slot));
    set.filter_map(|(slot, value)| Some((u16::try_from(slot).ok()?, value.clone()?))).collect()
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRecord {
    /// Its number; numbers rise with the commits.
    pub key: i32,
    /// The number of the event with which its chain began.
    pub chain: i32,
    /// When it happened.
    pub time: DateTime,
    /// Its type.
    pub ty: Type,
    /// Who caused it; empty if nobody did.
    pub user: Str,
    /// What the author of the operation called it.
    pub tag: Option<Str>,
    /// Where it happened.
    pub scene: Arc<Scene>,
    /// The task whose beginning or end it tells of, as it was then.
    pub task: Option<Arc<TaskRecord>>,
    fields: Box<[Set]>,
}

impl EventRecord {
    /// The event that `draft` describes.
    pub fn new(draft: EventDraft, key: i32, time: DateTime) -> Self {
        Self {
            key,
            chain: draft.chain.unwrap_or(key),
            time,
            ty: draft.ty,
            user: draft.user.unwrap_or_default(),
            tag: draft.tag,
            scene: Arc::new(draft.scene),
            task: draft.task,
            fields: draft.fields,
        }
    }

    /// The value of a field, if it was said. Message and task are not: who
    /// reads the event knows how to render them.
    pub fn get(&self, slot: usize) -> Option<&Value> {
        let mut fields = self.scene.fields.iter().chain(&self.fields);
        fields.find(|(held, _)| usize::from(*held) == slot).map(|(_, value)| value)
    }

    /// The event as a data object in the making, without message and task.
    pub fn builder(&self) -> ObjectBuilder {
        let mut event = ObjectBuilder::new(self.ty);
        for (slot, value) in self.scene.fields.iter().chain(&self.fields) {
            event.set(usize::from(*slot), value);
        }
        event.set(const { ty::Event.slot("key") }, self.key);
        event.set(const { ty::Event.slot("chainId") }, self.chain);
        event.set(const { ty::Event.slot("createdTime") }, self.time);
        event.set(const { ty::Event.slot("userName") }, &self.user);
        event.set(const { ty::Event.slot("changeTag") }, self.tag.as_ref());
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;

    #[test]
    fn nothing_is_lost_in_a_record() {
        let vm = MoRef::new(ty::VirtualMachine, "vm-1");
        let arguments = object!(Event {
            vm: object!(VmEventArgument { name: "a", vm: &vm }),
            userName: "not this one",
        });
        let scene = Scene::new(&arguments, Some(vm.clone()), Arc::default());
        let event = object!(VmRenamedEvent { template: false, oldName: "a", newName: "b" });
        let mut draft = EventDraft::new(&event, scene);
        draft.user = Some("somebody".into());
        let record = EventRecord::new(draft, 7, DateTime::EPOCH);
        let expected = object!(VmRenamedEvent {
            key: 7,
            chainId: 7,
            createdTime: DateTime::EPOCH,
            userName: "somebody",
            vm: object!(VmEventArgument { name: "a", vm: &vm }),
            template: false,
            oldName: "a",
            newName: "b",
        });
        assert_eq!(record.builder().finish(), expected);
        let slot = const { ty::VmRenamedEvent.slot("newName") };
        assert_eq!(record.get(slot).and_then(Value::as_str), Some("b"));
        assert_eq!(record.get(const { ty::Event.slot("host") }), None);
    }
}
