//! What kinds of events there are: category, format and description of every
//! event type of the schema.

use std::sync::LazyLock;

use super::format::{Format, spoken, word};
use crate::event::EventRecord;
use crate::schema::{Type, ty};
use crate::value::{Object, Value};
use crate::vsphere::task;
use crate::{object, path};

/// The table of all event types.
const TABLE: &str = include_str!("data/events.txt");

/// One kind of event.
#[derive(Clone, Debug)]
struct Kind {
    category: &'static str,
    format: Format<'static>,
}

/// All kinds of events, as a table that never changes: by the place of the type
/// among those derived from `Event`.
static KINDS: LazyLock<Vec<Option<Kind>>> = LazyLock::new(kinds);

/// The lines of the table: type, category, format.
fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut parts = line.splitn(3, '|').map(str::trim);
        Some((parts.next()?, parts.next()?, parts.next()?))
    })
}

const fn place(ty: Type) -> usize {
    ty.index() - ty::Event.index()
}

/// What the table says.
fn kinds() -> Vec<Option<Kind>> {
    let mut kinds: Vec<Option<Kind>> = ty::Event.derived().map(|_| None).collect();
    for (name, category, format) in rows() {
        let ty = Type::by_name(name).filter(|ty| ty.is_a(ty::Event));
        if let Some(kind) = ty.and_then(|ty| kinds.get_mut(place(ty))) {
            *kind = Some(Kind { category, format: Format::parse(format) });
        }
    }
    kinds
}

fn kind(ty: Type) -> Option<&'static Kind> {
    KINDS.get(place(ty))?.as_ref()
}

/// The category of an event: what its type says, or it itself.
pub(super) fn category(event: &EventRecord) -> &str {
    if event.ty.is_a(ty::EventEx) {
        let own = event.get(const { ty::EventEx.slot("severity") }).and_then(Value::as_str);
        return own.filter(|severity| !severity.is_empty()).unwrap_or("info");
    }
    kind(event.ty).map_or("info", |kind| kind.category)
}

/// What an event says of itself under a name, which may lead into what it says:
/// `vm.name`. Of an extension's event, its arguments have their own names.
pub(in crate::vsphere) fn attribute(event: &EventRecord, name: &str) -> Option<String> {
    let shown = show(event, name == "fullFormattedMessage");
    let argument = |name: &str| {
        let arguments = shown.at(path!(EventEx, "arguments"))?.items().iter();
        let mut arguments = arguments.filter_map(Value::as_object);
        let is_it =
            |it: &&Object| it.at(path!(KeyAnyValue, "key")).and_then(Value::as_str) == Some(name);
        arguments.find(is_it)?.at(path!(KeyAnyValue, "value")).cloned()
    };
    let read = |name: &str| shown.field(name).cloned();
    spoken(name, &read)
        .or_else(|| if event.ty.is_a(ty::EventEx) { word(&argument(name)?) } else { None })
}

/// The event as it is sent, with its message if that is wanted.
pub(super) fn show(event: &EventRecord, message: bool) -> Object {
    let mut shown = event.builder();
    if let Some(task) = &event.task {
        shown.set(const { ty::TaskEvent.slot("info") }, task::info(task));
    }
    let said = const { ty::Event.slot("fullFormattedMessage") };
    if !message {
        shown.set(said, None::<Value>);
    } else if let Some(kind) = kind(event.ty) {
        let text = match &event.task {
            // Where the API says the id, people read the label.
            Some(task) => {
                let label = object!(TaskInfo { descriptionId: &task.label });
                kind.format.fill(&|name| (name == "info").then(|| label.clone().into()))
            }
            None => kind.format.fill(&|name| {
                let (slot, _) = event.ty.field(name)?;
                shown.get(slot).cloned()
            }),
        };
        // What its author has said stays if we have nothing to say.
        if !text.is_empty() {
            shown.set(said, text);
        }
    }
    shown.finish()
}

/// `description` of the EventManager.
pub(in crate::vsphere) fn description() -> Object {
    let categories =
        [("info", "Information"), ("warning", "Warning"), ("error", "Error"), ("user", "User")]
            .map(|(key, label)| {
                object!(ElementDescription { key: key, label: label, summary: label })
            });
    let events: Vec<Object> = rows().map(|row| detail(row.0, row.1, row.2)).collect();
    object!(EventDescription { category: categories, eventInfo: events })
}

fn detail(name: &str, category: &str, format: &'static str) -> Object {
    let format = Format::parse(format);
    let on = |known: &[&str]| format.describe(known);
    let this = |text: String, object: &str, this: &str| {
        let text = text.replacen(object, this, 1);
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    let (datacenter, compute) = ("datacenter.name", "computeResource.name");
    object!(EventDescriptionEventDetail {
        key: name,
        description: words(name),
        category: category,
        formatOnDatacenter: on(&[datacenter]),
        formatOnComputeResource: on(&[datacenter, compute]),
        formatOnHost: this(on(&[datacenter, compute, "host.name"]), "ost {host.name}", "ost"),
        formatOnVm: this(on(&[datacenter, compute]), "{vm.name}", "this virtual machine"),
        fullFormat: on(&[]),
    })
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
    use crate::event::{EventDraft, Scene};
    use crate::schema::{Kind as TypeKind, Primitive};
    use crate::value::{Array, DateTime, MoRef, ObjectBuilder};
    use std::sync::Arc;

    #[test]
    fn the_table_describes_every_event_type_once() {
        let mut named: Vec<Type> =
            rows().map(|row| Type::by_name(row.0).expect("a type of the schema")).collect();
        named.sort();
        let all: Vec<Type> = ty::Event.derived().filter(|ty| *ty != ty::Event).collect();
        assert_eq!(named, all);
        for (name, category, format) in rows() {
            assert!(["info", "warning", "error", "user"].contains(&category), "{name}");
            assert!(!format.contains("  "), "{name}");
        }
    }

    /// Something to put into a field, everything in it included.
    fn some(ty: Type, depth: u8) -> Option<Value> {
        Some(match ty.kind() {
            TypeKind::Primitive(Primitive::Boolean) => true.into(),
            TypeKind::Primitive(Primitive::Int) => Value::Int(1),
            TypeKind::Primitive(Primitive::Long) => Value::Long(1),
            TypeKind::Primitive(Primitive::String) => "x".into(),
            TypeKind::Primitive(Primitive::DateTime) => DateTime::EPOCH.into(),
            TypeKind::Enum => Value::Enum(crate::value::EnumValue::new(ty, 0)),
            TypeKind::Managed => MoRef::new(ty, "x-1").into(),
            TypeKind::Data if depth > 0 => filled(ty, depth - 1, false).into(),
            _ => return None,
        })
    }

    fn filled(ty: Type, depth: u8, required: bool) -> Object {
        let mut builder = ObjectBuilder::new(ty);
        for (slot, field) in ty.fields().iter().enumerate() {
            if required && field.is_optional() {
                continue;
            }
            let value = some(field.ty(), depth);
            let value = match (field.is_array(), value) {
                (true, Some(value)) => Some(Array::new(field.ty(), vec![value]).into()),
                (_, value) => value,
            };
            builder.set(slot, value);
        }
        builder.finish()
    }

    #[test]
    fn every_event_reads_without_leftovers() {
        for (name, _, format) in rows() {
            let ty = Type::by_name(name).expect("a type of the schema");
            for required in [false, true] {
                let event = filled(ty, 3, required);
                let mut common = ObjectBuilder::new(ty);
                for slot in 0..ty::Event.fields().len() {
                    // The arguments that a format needs are there.
                    let needed = ["vm", "host", "computeResource", "datacenter", "dvs", "net"];
                    let field = ty.fields()[slot];
                    if !required || needed.contains(&field.name()) {
                        common.set(slot, some(field.ty(), 2));
                    }
                }
                let scene = Scene::new(&common.finish(), None, Arc::default());
                let mut draft = EventDraft::new(&event, scene);
                draft.user = Some("x".into());
                let record = EventRecord::new(draft, 1, DateTime::EPOCH);
                if ty.is_a(ty::TaskEvent) {
                    continue;
                }
                for path in Format::parse(format).fields() {
                    let first = path.split('.').next().unwrap_or(path);
                    assert!(ty.field(first).is_some(), "{name} has no field {first}");
                }
                let shown = show(&record, true);
                let text = shown.field("fullFormattedMessage").and_then(Value::as_str);
                let text = text.unwrap_or_default();
                let own_words = ty.is_a(ty::EventEx) && required;
                assert!(!text.is_empty() || own_words, "{name} says nothing");
                for leftover in ["{", "}", "[", "]", "  ", " ,", " :", "()"] {
                    assert!(!text.contains(leftover), "{name}: {text:?}");
                }
                assert_eq!(text.trim_end_matches([' ', ':']), text, "{name}");
            }
        }
    }

    #[test]
    fn formats_leave_out_what_their_readers_know() {
        let detail = detail(
            "VmPoweredOnEvent",
            "info",
            "{vm.name}[ on {host.name}][ in {datacenter.name}] is powered on",
        );
        let text = |field| detail.field(field).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(text("description"), "VM powered on");
        let full = "{vm.name} on {host.name} in {datacenter.name} is powered on";
        assert_eq!(text("fullFormat"), full);
        assert_eq!(text("formatOnDatacenter"), "{vm.name} on {host.name} is powered on");
        assert_eq!(text("formatOnHost"), "{vm.name} is powered on");
        assert_eq!(text("formatOnVm"), "This virtual machine on {host.name} is powered on");
    }

    #[test]
    fn names_become_words() {
        assert_eq!(words("VmDiskFailedEvent"), "VM disk failed");
        assert_eq!(words("NASDatastoreCreated"), "NAS datastore created");
    }
}
