//! Reading an `AlarmAction`: what is done, and at which changes of colour.
//!
//! Gray counts as green. A change from green to red, or back, is first of all
//! that; an action that does not know it takes it for the two changes by way of
//! yellow.

use super::status::Status::{self, Green, Red, Yellow};
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::path;
use crate::schema::{Type, ty};
use crate::value::{Object, Value};
use crate::vsphere::action;

/// An action, and when it is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trigger {
    pub(super) action: Object,
    changes: Vec<Change>,
}

/// A change of colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    from: Status,
    to: Status,
    repeats: bool,
}

/// What an action does at a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fires {
    /// Nothing.
    No,
    /// It is done.
    Once,
    /// It is done, and again while the status stays.
    Repeatedly,
}

impl Trigger {
    /// What the action does when a status becomes another.
    pub(super) fn fires(&self, from: Status, to: Status) -> Fires {
        let (from, to) = (from.settled(), to.settled());
        let find = |from, to| self.changes.iter().find(|it| (it.from, it.to) == (from, to));
        let found = find(from, to).or_else(|| match (from, to) {
            // The later of the two says what happens while the status stays.
            (Green, Red) => find(Yellow, Red).or_else(|| find(Green, Yellow)),
            (Red, Green) => find(Yellow, Green).or_else(|| find(Red, Yellow)),
            _ => None,
        });
        match found {
            Some(change) if change.repeats => Fires::Repeatedly,
            Some(_) => Fires::Once,
            None => Fires::No,
        }
    }
}

/// The actions that `given` stands for, which may be done to entities of one of
/// the types. An alarm without a status needs no changes of it.
pub(super) fn read(
    state: &Snapshot,
    given: &Object,
    types: &[Type],
    stateless: bool,
) -> Result<Vec<Trigger>, Fault> {
    let (mut open, mut found) = (vec![given], Vec::new());
    while let Some(given) = open.pop() {
        if given.ty().is_a(ty::GroupAlarmAction) {
            let all = given.at(path!(GroupAlarmAction, "action")).map(Value::items);
            let start = open.len();
            open.extend(all.unwrap_or_default().iter().filter_map(Value::as_object));
            // Taken from the end, and the first is to be first.
            if let Some(new) = open.get_mut(start..) {
                new.reverse();
            }
            continue;
        }
        if !given.ty().is_a(ty::AlarmTriggeringAction) {
            return Err(Fault::invalid_argument("spec.action"));
        }
        let action = given.at(path!(AlarmTriggeringAction, "action")).and_then(Value::as_object);
        let action = action.ok_or_else(|| Fault::invalid_argument("spec.action.action"))?;
        action::read_for(state, action, types)?;
        let changes = changes(given)?;
        if changes.is_empty() && !stateless {
            return Err(Fault::invalid_argument("spec.action.transitionSpecs"));
        }
        found.push(Trigger { action: action.clone(), changes });
    }
    Ok(found)
}

fn changes(given: &Object) -> Result<Vec<Change>, Fault> {
    let specs = given.at(path!(AlarmTriggeringAction, "transitionSpecs")).map(Value::items);
    let specs = specs.unwrap_or_default().iter().filter_map(Value::as_object);
    let read = specs.map(|spec| {
        let status = |path| spec.at(path).and_then(Value::as_str).and_then(Status::parse);
        let from = status(path!(AlarmTriggeringActionTransitionSpec, "startState"));
        let to = status(path!(AlarmTriggeringActionTransitionSpec, "finalState"));
        let repeats = spec.at(path!(AlarmTriggeringActionTransitionSpec, "repeats"));
        let repeats = repeats.and_then(Value::as_bool).unwrap_or_default();
        let pair = from.zip(to).filter(|(from, to)| {
            from != to && ![from, to].iter().any(|status| **status == Status::Gray)
        });
        let (from, to) =
            pair.ok_or_else(|| Fault::invalid_argument("spec.action.transitionSpecs"))?;
        Ok(Change { from, to, repeats })
    });
    let read = read.collect::<Result<Vec<_>, Fault>>()?;
    if !read.is_empty() {
        return Ok(read);
    }
    // The flags of old.
    let flags = [
        (path!(AlarmTriggeringAction, "green2yellow"), Green, Yellow),
        (path!(AlarmTriggeringAction, "yellow2red"), Yellow, Red),
        (path!(AlarmTriggeringAction, "red2yellow"), Red, Yellow),
        (path!(AlarmTriggeringAction, "yellow2green"), Yellow, Green),
    ];
    let set = flags
        .into_iter()
        .filter(|(path, ..)| given.at(path).and_then(Value::as_bool).unwrap_or_default());
    Ok(set.map(|(_, from, to)| Change { from, to, repeats: false }).collect())
}

#[cfg(test)]
mod tests {
    use super::Fires::{No, Once, Repeatedly};
    use super::*;
    use crate::object;

    fn trigger(changes: &[(Status, Status, bool)]) -> Trigger {
        let changes =
            changes.iter().map(|&(from, to, repeats)| Change { from, to, repeats }).collect();
        Trigger { action: object!(SendSNMPAction {}), changes }
    }

    #[test]
    fn actions_are_done_at_the_changes_that_they_name() {
        use Status::Gray;
        let one = trigger(&[(Green, Yellow, false), (Red, Green, true)]);
        let table = [
            (Gray, Yellow, Once),
            (Green, Yellow, Once),
            (Green, Red, Once),
            (Yellow, Red, No),
            (Red, Yellow, No),
            (Red, Green, Repeatedly),
            (Red, Gray, Repeatedly),
            (Yellow, Green, No),
            (Gray, Green, No),
        ];
        for (from, to, fires) in table {
            assert_eq!(one.fires(from, to), fires, "{from:?} to {to:?}");
        }
        // The direct way counts before the one by way of yellow.
        let both = trigger(&[(Green, Red, false), (Yellow, Red, true)]);
        assert_eq!(both.fires(Green, Red), Once);
        assert_eq!(both.fires(Yellow, Red), Repeatedly);
        let later = trigger(&[(Green, Yellow, false), (Yellow, Red, true)]);
        assert_eq!(later.fires(Gray, Red), Repeatedly);
    }

    #[test]
    fn the_flags_of_old_count_where_nothing_else_is_said() {
        let flags = object!(AlarmTriggeringAction {
            action: object!(SendSNMPAction {}),
            green2yellow: false,
            yellow2red: true,
            red2yellow: false,
            yellow2green: true,
        });
        let of = |given: &Object| {
            changes(given).map(|all| all.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>())
        };
        assert_eq!(of(&flags), Ok(vec![(Yellow, Red), (Yellow, Green)]));
        let spec = object!(AlarmTriggeringActionTransitionSpec {
            startState: "red",
            finalState: "green",
            repeats: false,
        });
        let slot = const { ty::AlarmTriggeringAction.slot("transitionSpecs") };
        assert_eq!(of(&flags.with(slot, vec![spec.clone()])), Ok(vec![(Red, Green)]));
        let same = spec.with(
            const { ty::AlarmTriggeringActionTransitionSpec.slot("finalState") },
            crate::enum_value!(ManagedEntityStatus::red),
        );
        assert!(of(&flags.with(slot, vec![same])).is_err());
    }
}
