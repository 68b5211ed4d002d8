//! [`Own`]: what only XenAPI knows of objects, committed together with them:
//! the maps `other_config`, and which machines are paused.

use std::sync::Arc;

use imbl::OrdMap;

use super::context::Context;
use super::failure::Failure;
use super::message::{Answer, Args};
use super::value::Value;
use super::view::View;
use crate::engine::aside_in;
use crate::value::{DateTime, MoRef, Str};

/// Entries of a map, in the order of their keys.
type Entries = Arc<Vec<(Str, Str)>>;

/// What XenAPI notes beside the inventory. A copy costs two pointers.
#[derive(Clone, Debug, Default)]
pub struct Own {
    other_config: OrdMap<MoRef, Entries>,
    /// When the machine was started that is paused.
    paused: OrdMap<MoRef, DateTime>,
}

impl Own {
    /// When a machine was started that is paused.
    pub fn paused(&self, vm: &MoRef) -> Option<DateTime> {
        self.paused.get(vm).copied()
    }

    pub(super) fn with_paused(mut self, vm: &MoRef, since: Option<DateTime>) -> Self {
        match since {
            Some(since) => self.paused.insert(vm.clone(), since),
            None => self.paused.remove(vm),
        };
        self
    }

    fn entries(&self, mo: &MoRef) -> &[(Str, Str)] {
        self.other_config.get(mo).map_or(&[], |entries| entries.as_slice())
    }

    fn with_entries(mut self, mo: &MoRef, mut entries: Vec<(Str, Str)>) -> Self {
        entries.sort();
        if entries.is_empty() {
            self.other_config.remove(mo);
        } else {
            self.other_config.insert(mo.clone(), Arc::new(entries));
        }
        self
    }
}

/// The map `other_config` of an object.
pub(super) fn other_config(view: &View<'_>, mo: &MoRef) -> Value {
    let own = aside_in::<Own>(view.state());
    Value::text_map(own.map(|own| own.entries(mo).to_vec()).unwrap_or_default())
}

/// `add_to_other_config(self, key, value)`, of the class that the call names.
pub(super) fn add(context: &Context<'_>, args: &Args) -> Answer {
    let (key, value) = (args.text(1), args.text(2));
    change(context, args, |entries| {
        let there = entries.iter().any(|(held, _)| held == key);
        if !there {
            entries.push((Str::from(key), Str::from(value)));
        }
        !there
    })
}

/// `remove_from_other_config(self, key)`.
pub(super) fn remove(context: &Context<'_>, args: &Args) -> Answer {
    change(context, args, |entries| {
        entries.retain(|(held, _)| held != args.text(1));
        true
    })
}

/// `set_other_config(self, map)`.
pub(super) fn set(context: &Context<'_>, args: &Args) -> Answer {
    change(context, args, |entries| {
        *entries = args.text_map(1);
        true
    })
}

/// Changes a map; `edit` fails if the first argument's key is there already.
fn change(
    context: &Context<'_>,
    args: &Args,
    edit: impl FnOnce(&mut Vec<(Str, Str)>) -> bool,
) -> Answer {
    let class_name = context.name.split('.').next().unwrap_or_default();
    let class = super::classes().iter().find(|class| class.name == class_name);
    let class = class.ok_or_else(|| Failure::method_unknown(context.name))?;
    let mo = class.find(&context.view(), args.text(0))?;
    let done = context.commit(|tx| {
        let own = tx.aside::<Own>().cloned().unwrap_or_default();
        let mut entries = own.entries(&mo).to_vec();
        if !edit(&mut entries) {
            return Ok(false);
        }
        if entries != own.entries(&mo) {
            tx.set_aside(own.with_entries(&mo, entries));
            tx.touch(&mo);
        }
        Ok(true)
    })?;
    if done {
        return Ok(Value::Void);
    }
    Err(Failure::map_duplicate_key(class_name, "other_config", args.text(0), args.text(1)))
}

/// The three messages that change `other_config` of a class.
macro_rules! other_config_messages {
    ($class:literal, $role:expr) => {{
        use $crate::xenapi::message::{Message, Param};
        use $crate::xenapi::own;
        use $crate::xenapi::value::Type;
        const SELF: Param = Param::new("self", Type::Ref($class));
        const KEY: Param = Param::new("key", Type::String);
        const VALUE: Param = Param::new("value", Type::String);
        const MAP: Param = Param::new("value", Type::Map(&Type::String, &Type::String));
        [
            Message {
                role: $role,
                ..Message::read(
                    concat!($class, ".add_to_other_config"),
                    &[SELF, KEY, VALUE],
                    Type::Void,
                    own::add,
                )
            },
            Message {
                role: $role,
                ..Message::read(
                    concat!($class, ".remove_from_other_config"),
                    &[SELF, KEY],
                    Type::Void,
                    own::remove,
                )
            },
            Message {
                role: $role,
                ..Message::read(
                    concat!($class, ".set_other_config"),
                    &[SELF, MAP],
                    Type::Void,
                    own::set,
                )
            },
        ]
    }};
}
pub(crate) use other_config_messages;
