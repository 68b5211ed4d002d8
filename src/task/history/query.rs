//! A filter that is asked of whole segments, 256 tasks at a time.
//!
//! ```text
//!   states, spans of time and of chains ──► what lies in the segment itself
//!        │ none left: next segment
//!        ▼
//!   hashes of all names that the filter wants ──► one not there: next segment
//!        │
//!        ▼
//!   codes: the rows that have them ──► none has all: next segment
//!        │
//!        ▼
//!   times, chains, and the values themselves, of the few rows that are left
//! ```
//!
//! So a segment in which nothing matches costs a few cache lines, whichever
//! conditions it is that hold or do not hold together.

use std::hash::Hash;

use smallvec::SmallVec;

use super::column::{Column, Places, Wanted};
use super::rows::{Row, Rows};
use super::segment::{Segment, Times};
use crate::task::TaskId;
use crate::task::filter::{Scope, TaskFilter, TimeFilter, TimeKind, UserFilter};
use crate::task::state::{Outcome, State, Target};
use crate::value::{MoRef, Str};

/// So many chains of a segment are looked for one by one.
const FEW_CHAINS: usize = 4;

/// A filter, with what segments are searched for.
#[derive(Debug)]
pub(super) struct Query<'f> {
    filter: &'f TaskFilter,
    /// Whether tasks that succeeded, failed, were cancelled are wanted.
    outcomes: [bool; 3],
    /// In order.
    chains: Option<Vec<i32>>,
    users: Option<Wanted>,
    /// Users that are not listed: all, but not the system.
    any_user: bool,
    activations: Option<Wanted>,
    tags: Option<Wanted>,
    parents: Option<Wanted>,
    roots: Option<Wanted>,
    alarm: Option<Wanted>,
    scheduled_task: Option<Wanted>,
    entity: Option<Entity<'f>>,
}

#[derive(Debug)]
struct Entity<'f> {
    mo: &'f MoRef,
    scope: Scope,
    itself: Wanted,
    above: Wanted,
}

/// The codes that each condition on names wants of its column.
type Conditions<'s> = SmallVec<[(&'s dyn Codes, Rows); 4]>;

trait Codes {
    fn keep_codes(&self, rows: &mut Rows, codes: Rows);
}

impl<T> Codes for Column<T> {
    fn keep_codes(&self, rows: &mut Rows, codes: Rows) {
        Column::keep_codes(self, rows, codes);
    }
}

impl<'f> Query<'f> {
    pub(super) fn new(filter: &'f TaskFilter) -> Self {
        let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Cancelled].map(|outcome| {
            let state = Target::of(State::Done(outcome));
            filter.states.as_ref().is_none_or(|states| states.contains(&state))
        });
        let chains = filter.event_chains.as_ref().map(|chains| {
            let mut chains: Vec<i32> = chains.iter().copied().collect();
            chains.sort_unstable();
            chains
        });
        let tags = filter.tags.as_ref().map(|tags| {
            // The empty text stands for no tag at all.
            let none = tags.contains("").then_some(None);
            Wanted::any(tags.iter().cloned().map(Some).chain(none))
        });
        let entity = filter.entity.as_ref().map(|wanted| Entity {
            mo: &wanted.entity,
            scope: wanted.scope,
            itself: Wanted::one(&Some(wanted.entity.clone())),
            above: Wanted::one(&wanted.entity),
        });
        let users = filter.user.as_ref();
        let occasion = |mo: &Option<MoRef>| mo.is_some().then(|| Wanted::one(mo));
        let keys = |keys: &'f Option<_>| keys.as_ref().map(some::<TaskId, _>);
        Self {
            filter,
            outcomes,
            chains,
            users: users.and_then(UserFilter::listed).map(Wanted::any),
            any_user: users.is_some_and(|user| user.listed().is_none() && !user.includes_system()),
            activations: filter.activation_ids.as_ref().map(some::<Str, _>),
            tags,
            parents: keys(&filter.parents),
            roots: keys(&filter.roots),
            alarm: occasion(&filter.alarm),
            scheduled_task: occasion(&filter.scheduled_task),
            entity,
        }
    }

    /// The rows of a segment that match.
    pub(super) fn select(&self, segment: &Segment) -> Rows {
        self.try_select(segment).unwrap_or_default()
    }

    /// Nothing as soon as it is seen that no row matches.
    fn try_select(&self, segment: &Segment) -> Option<Rows> {
        let mut rows = some_left(self.by_outcome(segment))?;
        let times = self.filter.time.as_ref().map(|span| (times(segment, span), span));
        if times.is_some_and(|(times, span)| times.miss(span)) {
            return None;
        }
        let chains = match &self.chains {
            Some(chains) => Some(chains_within(chains, segment)?),
            None => None,
        };
        let conditions = self.candidates(segment)?;
        let entity = match &self.entity {
            Some(entity) => Some(EntityFound::new(entity, segment)?),
            None => None,
        };
        for (column, codes) in conditions {
            column.keep_codes(&mut rows, codes);
            rows = some_left(rows)?;
        }
        if self.any_user {
            segment.users.keep(&mut rows, Option::is_some);
            rows = some_left(rows)?;
        }
        if let Some(found) = entity {
            found.keep(segment, &mut rows);
            rows = some_left(rows)?;
        }
        if let Some((times, span)) = times {
            times.keep_within(&mut rows, span);
        }
        if let Some(chains) = chains {
            keep_chains(segment, chains, &mut rows);
        }
        rows.retain(|row| self.confirmed(segment, row));
        Some(rows)
    }

    fn by_outcome(&self, segment: &Segment) -> Rows {
        let mut rows = segment.present;
        let [success, failure, cancelled] = self.outcomes;
        if !success {
            rows = rows.and(segment.failed.or(segment.cancelled));
        }
        if !failure {
            rows = rows.without(segment.failed);
        }
        if !cancelled {
            rows = rows.without(segment.cancelled);
        }
        rows
    }

    /// The codes that may match; nothing if a condition finds none.
    fn candidates<'s>(&self, segment: &'s Segment) -> Option<Conditions<'s>> {
        let mut found = Conditions::new();
        let Self { users, activations, tags, parents, roots, alarm, scheduled_task, .. } = self;
        add(&mut found, &segment.occasions, alarm)?;
        add(&mut found, &segment.occasions, scheduled_task)?;
        add(&mut found, &segment.parents, parents)?;
        add(&mut found, &segment.roots, roots)?;
        add(&mut found, &segment.users, users)?;
        add(&mut found, &segment.activations, activations)?;
        add(&mut found, &segment.tags, tags)?;
        Some(found)
    }

    /// Whether the row has not only the hashes of what is wanted.
    fn confirmed(&self, segment: &Segment, row: Row) -> bool {
        let filter = self.filter;
        let user = |user: &UserFilter| user.matches_folded(segment.users.get(row)?.as_ref()).into();
        let occasion = |wanted: &MoRef| segment.occasions.get(row)?.as_ref().map(|mo| mo == wanted);
        holds(&filter.user, user)
            && holds(&filter.alarm, occasion)
            && holds(&filter.scheduled_task, occasion)
            && holds(&filter.entity, |wanted| {
                let above = segment.places.get(row)?.iter();
                let mut above = above.filter_map(|place| segment.above.get(*place as usize));
                let itself = || {
                    segment.entities.get(row).is_some_and(|mo| mo.as_ref() == Some(&wanted.entity))
                };
                let mut below = || above.any(|mo| *mo == wanted.entity);
                Some(match wanted.scope {
                    Scope::Itself => itself(),
                    Scope::Below => below(),
                    Scope::Both => itself() || below(),
                })
            })
            && segment.activations.get(row).is_none_or(|id| filter.matches_activation(id.as_ref()))
            && segment.tags.get(row).is_none_or(|tag| filter.matches_tag(tag.as_ref()))
            && segment.parents.get(row).is_none_or(|id| filter.matches_parent(*id))
            && segment.roots.get(row).is_none_or(|id| filter.matches_root(*id))
    }
}

/// Where in a segment an entity may be.
#[derive(Debug)]
struct EntityFound {
    itself: Rows,
    above: Places,
}

impl EntityFound {
    fn new(wanted: &Entity<'_>, segment: &Segment) -> Option<Self> {
        let mut found = Self { itself: Rows::default(), above: Places::new() };
        if wanted.scope != Scope::Below {
            found.itself = segment.entities.candidates(&wanted.itself);
        }
        if wanted.scope != Scope::Itself {
            // What an entity is below takes long to find out, so this is made sure of.
            segment.above.candidates(&wanted.above, |place| {
                if segment.above.get(place) == Some(wanted.mo) {
                    found.above.push(place as u32);
                }
            });
        }
        (!found.itself.is_empty() || !found.above.is_empty()).then_some(found)
    }

    fn keep(&self, segment: &Segment, rows: &mut Rows) {
        let mut itself = Rows::default();
        if !self.itself.is_empty() {
            itself = *rows;
            segment.entities.keep_codes(&mut itself, self.itself);
        }
        let mut below = Rows::default();
        if !self.above.is_empty() {
            below = *rows;
            let wanted =
                |places: &SmallVec<[u32; 8]>| places.iter().any(|place| self.above.contains(place));
            segment.places.keep(&mut below, wanted);
        }
        *rows = itself.or(below);
    }
}

/// Adds a condition, if it is one; nothing if no value can match.
fn add<'s, T>(
    conditions: &mut Conditions<'s>,
    column: &'s Column<T>,
    wanted: &Option<Wanted>,
) -> Option<()> {
    if let Some(wanted) = wanted {
        conditions.push((column, some_left(column.candidates(wanted))?));
    }
    Some(())
}

fn some_left(rows: Rows) -> Option<Rows> {
    (!rows.is_empty()).then_some(rows)
}

fn holds<T>(condition: &Option<T>, held: impl FnOnce(&T) -> Option<bool>) -> bool {
    condition.as_ref().is_none_or(|wanted| held(wanted).unwrap_or_default())
}

fn some<'s, T, I>(values: I) -> Wanted
where
    T: Clone + Hash + 's,
    I: IntoIterator<Item = &'s T>,
{
    Wanted::any(values.into_iter().cloned().map(Some))
}

const fn times<'s>(segment: &'s Segment, span: &TimeFilter) -> &'s Times {
    match span.kind {
        TimeKind::Queued => &segment.queued,
        TimeKind::Started => &segment.started,
        TimeKind::Completed => &segment.completed,
    }
}

/// The chains that may be in the segment, if there are any.
fn chains_within<'c>(chains: &'c [i32], segment: &Segment) -> Option<&'c [i32]> {
    let first = chains.partition_point(|chain| *chain < segment.chains.first);
    let last = chains.partition_point(|chain| *chain <= segment.chains.last);
    chains.get(first..last).filter(|within| !within.is_empty())
}

fn keep_chains(segment: &Segment, wanted: &[i32], rows: &mut Rows) {
    if wanted.len() <= FEW_CHAINS {
        segment.chains.keep(rows, |chain| wanted.contains(&chain));
    } else {
        segment.chains.keep(rows, |chain| wanted.binary_search(&chain).is_ok());
    }
}
