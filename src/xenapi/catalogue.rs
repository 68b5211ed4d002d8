//! [`Catalogue`]: all messages by their names: what the classes list, and what
//! follows from their fields.

use std::collections::BTreeMap;

use super::CLASSES;
use super::class::{Class, Getter};
use super::message::{Message, Role};
use crate::value::Str;

/// The message that lists all others.
pub const LIST_METHODS: &str = "system.listMethods";

/// How a name is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// As the class says.
    Message(&'static Message),
    /// As it follows from the class.
    Getter(&'static Class, Getter),
}

/// All messages.
#[derive(Debug)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
}

impl Catalogue {
    /// Joins the messages of all classes.
    pub(super) fn new() -> Self {
        let mut entries = BTreeMap::new();
        for class in CLASSES {
            for (name, getter) in Getter::of(class) {
                entries.insert(name, Entry::Getter(class, getter));
            }
            for message in class.messages {
                let before = entries.insert(message.name.to_owned(), Entry::Message(message));
                debug_assert!(before.is_none(), "{} stands twice", message.name);
            }
        }
        Self { entries }
    }

    /// The message called `name`, and its proper name: `class_message` is
    /// another way to write `class.message`.
    pub(super) fn find(&self, name: &str) -> Option<(&str, Entry)> {
        if name.contains('.') {
            return self.entries.get_key_value(name).map(|(name, entry)| (name.as_str(), *entry));
        }
        // Names of classes have underscores themselves.
        name.match_indices('_').find_map(|(at, _)| {
            let dotted = format!("{}.{}", name.get(..at)?, name.get(at + 1..)?);
            self.entries.get_key_value(&dotted).map(|(name, entry)| (name.as_str(), *entry))
        })
    }

    /// The names of all messages, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let own = std::iter::once(LIST_METHODS);
        self.entries.keys().map(String::as_str).chain(own)
    }

    /// The permissions that a role has, in lower case.
    pub fn permissions(&self, role: Role) -> Vec<Str> {
        let may = |entry: &Entry| match entry {
            Entry::Message(message) => message.session && message.role <= role,
            Entry::Getter(..) => true,
        };
        let entries = self.entries.iter().filter(|(_, entry)| may(entry));
        entries.map(|(name, _)| Str::from(name.to_ascii_lowercase())).collect()
    }
}
