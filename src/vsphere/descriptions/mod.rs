//! What operations are called: the `descriptionId` of each method on each type,
//! with its label and summary, as `TaskManager.description` lists them.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::object;
use crate::schema::{Kind, Method, Type, method, ty};
use crate::value::{Array, Object, Str, Value};

/// What one operation is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// The `descriptionId`.
    pub(super) id: Str,
    /// The label, as in "Power On virtual machine".
    pub(super) label: Str,
    /// The label as a sentence.
    pub(super) summary: Str,
}

/// What all operations are called, as a table that never changes.
static DESCRIPTIONS: LazyLock<Descriptions> = LazyLock::new(Descriptions::new);

#[derive(Debug)]
struct Descriptions {
    of: HashMap<(Type, Method), Description, foldhash::fast::FixedState>,
    object: Object,
}

/// What `called` is called on receivers of type `receiver`.
pub(super) fn of(receiver: Type, called: Method) -> Option<&'static Description> {
    DESCRIPTIONS.of.get(&(receiver, called))
}

/// The `TaskDescription` of everything that the schema has.
pub(super) fn all() -> &'static Object {
    &DESCRIPTIONS.object
}

/// A `TaskDescription` with the tasks of extensions at its end.
pub(super) fn with_extensions(stored: &Object, extensions: &[Description]) -> Object {
    let slot = const { ty::TaskDescription.slot("methodInfo") };
    let own = stored.get(slot).map(Value::items).unwrap_or_default().iter().cloned();
    let methods = own.chain(extensions.iter().map(element)).collect();
    stored.with(slot, Array::new(ty::ElementDescription, methods))
}

/// The states with their labels and summaries.
const STATES: [(&str, &str, &str); 4] = [
    ("queued", "Queued", "Task is queued"),
    ("running", "Running", "Task is in progress"),
    ("success", "Success", "Task completed successfully"),
    ("error", "Error", "Task completed with a failure"),
];

/// The reasons with their labels, which are also their summaries.
const REASONS: [(&str, &str); 4] = [
    ("TaskReasonUser", "User task"),
    ("TaskReasonSchedule", "Scheduled task"),
    ("TaskReasonSystem", "System task"),
    ("TaskReasonAlarm", "Alarm task"),
];

impl Descriptions {
    /// The descriptions of every method of the schema, on every type that has
    /// it.
    fn new() -> Self {
        let words = Words::new();
        let mut of = HashMap::default();
        let mut methods: Vec<Value> = Vec::new();
        let mut listed = HashSet::new();
        for receiver in Type::all().filter(|ty| ty.kind() == Kind::Managed) {
            // Reading a property is no operation.
            for called in receiver.methods().filter(|called| *called != method::Fetch) {
                let description = words.describe(receiver, called);
                if listed.insert(description.id.clone()) {
                    methods.push(element(&description));
                }
                of.insert((receiver, called), description);
            }
        }
        let states = STATES.map(|(key, label, summary)| {
            object!(ElementDescription { key: key, label: label, summary: summary })
        });
        let reasons = REASONS.map(|(key, label)| {
            object!(TypeDescription { key: key, label: label, summary: label })
        });
        let object =
            object!(TaskDescription { methodInfo: methods, state: states, reason: reasons });
        Self { of, object }
    }
}

fn element(description: &Description) -> Value {
    let Description { id, label, summary } = description;
    object!(ElementDescription { key: id, label: label, summary: summary }).into()
}

/// The `descriptionId` of a task that `called` makes on a receiver of type
/// `receiver`: the receiver's vmodl type without `vim.`, a dot, and the vmodl
/// method as it is, so that a few begin with a capital letter: `Task.setState`
/// but `Task.UpdateProgress`. Methods of base types are described by the
/// concrete type; of VMware's distributed switch, by the switch that it is.
/// Operations that vCenter hands on to an internal one keep the public name.
pub(super) fn id(receiver: Type, called: Method) -> String {
    let inherited = receiver == ty::VmwareDistributedVirtualSwitch && called.owner() != receiver;
    let of = if inherited { ty::DistributedVirtualSwitch } else { receiver }.vmodl();
    format!("{}.{}", of.strip_prefix("vim.").unwrap_or(of), called.vmodl())
}

/// The words that operations are described with.
struct Words {
    methods: HashMap<&'static str, (&'static str, &'static str)>,
    types: HashMap<&'static str, &'static str>,
}

impl Words {
    fn new() -> Self {
        let lines = |text: &'static str| {
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
        };
        let methods = lines(include_str!("methods.txt")).filter_map(|line| {
            let mut parts = line.split('|').map(str::trim);
            let (key, label) = (parts.next()?, parts.next()?);
            Some((key, (label, parts.next().unwrap_or(label))))
        });
        let types = lines(include_str!("types.txt"))
            .filter_map(|line| line.split_once('|'))
            .map(|(ty, name)| (ty.trim(), name.trim()));
        Self { methods: methods.collect(), types: types.collect() }
    }

    fn describe(&self, receiver: Type, called: Method) -> Description {
        let name = self.name_of(receiver);
        // The words for a base type's method are those for a derived type's.
        let known = std::iter::successors(Some(receiver), |ty| ty.base())
            .find_map(|ty| self.methods.get(id(ty, called).as_str()));
        let (label, summary) = match known {
            Some((label, summary)) => (label.replace("{}", &name), summary.replace("{}", &name)),
            None => {
                let label = sentence(called.vmodl());
                let summary = format!("{label} ({name})");
                (label, summary)
            }
        };
        Description {
            id: id(receiver, called).into(),
            label: label.into(),
            summary: summary.into(),
        }
    }

    fn name_of(&self, ty: Type) -> String {
        match self.types.get(ty.name()) {
            Some(name) => (*name).to_owned(),
            None => {
                let last = ty.vmodl().rsplit('.').next().unwrap_or_default();
                words(last).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// `refreshCACertificates` as a sentence: "Refresh CA certificates".
fn sentence(name: &str) -> String {
    let text = words(name).collect::<Vec<_>>().join(" ");
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The words of a name in camel case; what is in capitals stays in capitals,
/// with an `s` at its end.
fn words(name: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = name.chars().collect();
    let upper = |place: usize| letters.get(place).is_none_or(char::is_ascii_uppercase);
    let plural = |place: usize| letters.get(place) == Some(&'s') && upper(place + 1);
    let mut found: Vec<String> = Vec::new();
    for (place, letter) in letters.iter().enumerate() {
        let begins = letter.is_ascii_uppercase()
            && place > 0
            && (!upper(place - 1) || !(upper(place + 1) || plural(place + 1)));
        match found.last_mut() {
            Some(word) if !begins => word.push(*letter),
            _ => found.push(letter.to_string()),
        }
    }
    found.into_iter().map(|word| {
        let stem = word.strip_suffix('s').unwrap_or(&word);
        let acronym = stem.len() > 1 && !stem.chars().any(|letter| letter.is_ascii_lowercase());
        if acronym { word } else { word.to_ascii_lowercase() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path;

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("powerOn", "Power on"),
            ("refreshCACertificatesAndCRLs", "Refresh CA certificates and CRLs"),
            ("reconfigureDAS", "Reconfigure DAS"),
            ("QueryEvent", "Query event"),
            ("retrieveKmipServersStatus", "Retrieve kmip servers status"),
            ("installV2", "Install V2"),
            ("a", "A"),
            ("", ""),
        ] {
            assert_eq!(sentence(name), expected, "{name}");
        }
    }

    #[test]
    fn words_are_for_what_there_is() {
        let words = Words::new();
        let ids: HashSet<String> = Type::all()
            .filter(|ty| ty.kind() == Kind::Managed)
            .flat_map(|ty| ty.methods().map(move |called| id(ty, called)))
            .collect();
        let unknown: Vec<&&str> = words.methods.keys().filter(|key| !ids.contains(**key)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        for name in words.types.keys() {
            assert!(Type::by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn descriptions_are_unique_and_complete() {
        let all = &*DESCRIPTIONS;
        let ids: HashSet<&str> = all.of.values().map(|known| known.id.as_str()).collect();
        let listed =
            all.object.at(path!(TaskDescription, "methodInfo")).map_or(0, |m| m.items().len());
        assert_eq!(ids.len(), listed);
        for called in Method::all().filter(|called| *called != method::Fetch) {
            let known = of(called.owner(), called);
            assert!(known.is_some_and(|known| !known.label.is_empty()), "{called}");
        }
        let label = |receiver, called| of(receiver, called).map(|known| known.label.as_str());
        assert_eq!(
            label(ty::VirtualMachine, method::PowerOnVM_Task),
            Some("Power On virtual machine")
        );
        assert_eq!(label(ty::StoragePod, method::Destroy_Task), Some("Delete datastore cluster"));
        assert_eq!(
            label(ty::ClusterComputeResource, method::ReconfigureComputeResource_Task),
            Some("Reconfigure cluster")
        );
        assert_eq!(
            label(ty::HostDateTimeSystem, method::UpdateDateTimeConfig),
            Some("Update config")
        );
    }
}
