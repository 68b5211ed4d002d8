//! Descriptions of events: the categories, and how each event reads.

use std::collections::HashMap;

use super::data::rows;
use crate::object;
use crate::schema::ty;
use crate::value::{Object, Str};

/// What the table says of an event: its category and its format.
type Known = HashMap<&'static str, (&'static str, &'static str)>;

/// `description` of the EventManager: every event of the schema.
pub(super) fn description() -> Object {
    let known: Known = rows(include_str!("data/events.txt"))
        .map(|mut row| (row.next(), (row.next(), row.next())))
        .collect();
    let categories =
        [("info", "Information"), ("warning", "Warning"), ("error", "Error"), ("user", "User")]
            .map(|(key, label)| {
                object!(ElementDescription { key: key, label: label, summary: label })
            });
    let events = ty::Event.derived().filter(|ty| *ty != ty::Event).map(|ty| {
        let name = ty.name();
        let (category, format) = match known.get(name) {
            Some((category, format)) => (*category, Str::from(*format)),
            None => (category(name), Str::from(words(name))),
        };
        object!(EventDescriptionEventDetail {
            key: name,
            description: words(name),
            category: category,
            formatOnDatacenter: &format,
            formatOnComputeResource: &format,
            formatOnHost: &format,
            formatOnVm: &format,
            fullFormat: &format,
        })
    });
    object!(EventDescription { category: categories, eventInfo: events.collect::<Vec<_>>() })
}

fn category(name: &str) -> &'static str {
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["Failed", "Error", "Failure", "Cannot", "Lost"]) {
        "error"
    } else if has(&["Warning", "Expired", "Exceeded", "Incompatible", "Duplicate", "NoNetwork"]) {
        "warning"
    } else {
        "info"
    }
}

/// The words of an event's name: `VmDiskFailedEvent` becomes `VM disk failed`.
pub(super) fn words(name: &str) -> String {
    let name = name.strip_suffix("Event").unwrap_or(name);
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let starts = letter.is_uppercase()
            && (!before.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase()));
        match words.last_mut() {
            Some(word) if !starts => word.push(letter),
            _ => words.push(letter.to_string()),
        }
        before = letter;
    }
    for (at, word) in words.iter_mut().enumerate() {
        if word == "Vm" {
            "VM".clone_into(word);
        } else if at > 0 && word.chars().skip(1).all(char::is_lowercase) {
            *word = word.to_lowercase();
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Type;

    #[test]
    fn the_table_names_events_of_the_schema() {
        for mut row in rows(include_str!("data/events.txt")) {
            let name = row.next();
            assert!(Type::by_name(name).is_some_and(|ty| ty.is_a(ty::Event)), "{name} is no event");
            assert!(["info", "warning", "error", "user"].contains(&row.next()), "{name}");
        }
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("VmDiskFailedEvent"), "VM disk failed");
        assert_eq!(words("NASDatastoreCreated"), "NAS datastore created");
    }
}
