//! The versions of one collector: which ones a client may go on from, and what
//! was reported since.
//!
//! Versions count the replies of a collector, across all of its filters. The
//! last one and the one that its reply was made from stay valid, so a client
//! whose reply was lost asks again and misses nothing. While a reply goes out
//! page by page, each page has a version of its own, `3_1`, `3_2`, …, which is
//! good for one call; the last page has the next number.

use std::collections::{HashSet, VecDeque};

use super::updates::{Base, Replaced, Undo};
use crate::fault::Fault;
use crate::schema::ty;
use crate::value::MoRef;

/// How many replies can be made from one and the same version before versions
/// in between are given up.
const STEPS: usize = 16;

/// How much they may have replaced together before the same is done, however
/// little is watched.
const FEW: usize = 1_000;

/// What the replies of one collector were.
#[derive(Debug, Default)]
pub(super) struct Versions {
    current: u64,
    /// The oldest version that is valid.
    oldest: u64,
    /// The replies after the oldest version: what each replaced.
    steps: VecDeque<Step>,
    /// What was replaced after the current version, by pages of a reply that
    /// is not complete, or by looks that found nothing to tell.
    open: Replaced,
    pages: Option<Unfinished>,
}

#[derive(Debug)]
struct Step {
    version: u64,
    undo: Vec<Undo>,
}

impl Step {
    /// Becomes one with the step before: the version in between is no more.
    fn follow(&mut self, first: Self) {
        let mut undo = first.undo;
        let known: HashSet<(u64, &MoRef)> = undo.iter().map(|it| (it.filter, &it.object)).collect();
        let own = std::mem::take(&mut self.undo).into_iter();
        let new: Vec<Undo> =
            own.filter(|undo| !known.contains(&(undo.filter, &undo.object))).collect();
        undo.extend(new);
        self.undo = undo;
    }
}

/// A reply of which some pages are sent.
#[derive(Debug)]
struct Unfinished {
    base: Base,
    page: u64,
}

/// Where a call goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A state that a client has.
    Base(Base),
    /// The last page of an unfinished reply, which was made from this state.
    Page(Base),
}

impl Versions {
    /// What `version` stands for in a call that takes pages or does not. A call
    /// with any other version gives up a reply that is not complete. Who never
    /// completes one, while more than twice the `watched` objects go by, has to
    /// start over.
    pub(super) fn enter(
        &mut self,
        version: &str,
        takes_pages: bool,
        watched: usize,
    ) -> Result<From, Fault> {
        let pages = self.pages.take();
        if let Some(pages) = pages
            && takes_pages
            && version == page_version(self.current, pages.page)
        {
            let base = pages.base;
            self.pages = Some(pages);
            return Ok(From::Page(base));
        }
        if self.open.len() > 2 * FEW.max(watched) {
            drop(self.open.take());
            self.steps.clear();
            self.oldest = self.current + 1;
        }
        if version.is_empty() {
            return Ok(From::Base(Base::Nothing));
        }
        // A number is written in one way only, and nothing is valid before the first.
        version
            .parse::<u64>()
            .ok()
            .filter(|number| number.to_string() == version)
            .filter(|number| *number > 0 && self.is_known(*number))
            .map(|number| From::Base(Base::Version(number)))
            .ok_or_else(invalid)
    }

    fn is_known(&self, version: u64) -> bool {
        let known = version == self.oldest || self.steps.iter().any(|it| it.version == version);
        known && version <= self.current
    }

    /// The version that the reply in the making will complete.
    pub(super) fn next(&self) -> u64 {
        self.current + 1
    }

    /// What led from `base` to what was reported last, the latest first.
    pub(super) fn since(&self, base: Base) -> impl Iterator<Item = &Undo> {
        let version = match base {
            Base::Nothing => u64::MAX,
            Base::Version(version) => version,
        };
        let steps = self.steps.iter().rev().take_while(move |step| step.version > version);
        self.open.iter().chain(steps.flat_map(|step| step.undo.iter().rev()))
    }

    /// Takes what a look or a page of a reply replaced.
    pub(super) fn replaced(&mut self) -> &mut Replaced {
        &mut self.open
    }

    /// Gives a page that is not the last its version.
    pub(super) fn page(&mut self, base: Base) -> String {
        let page = self.pages.as_ref().map_or(1, |pages| pages.page + 1);
        self.pages = Some(Unfinished { base, page });
        page_version(self.current, page)
    }

    /// Gives a reply made from `base`, or its last page, its version. So that
    /// `base` stays valid, the state of up to twice the `watched` objects is
    /// remembered.
    pub(super) fn complete(&mut self, base: Base, watched: usize) -> String {
        self.pages = None;
        let before = self.current;
        self.current += 1;
        let undo = self.open.take();
        self.steps.push_back(Step { version: self.current, undo });
        self.oldest = match base {
            Base::Nothing => before.max(1),
            Base::Version(version) => version.min(before),
        };
        while self.steps.front().is_some_and(|step| step.version <= self.oldest) {
            self.steps.pop_front();
        }
        let mut replaced = self.steps.iter().map(|step| step.undo.len()).sum::<usize>();
        while (self.steps.len() > STEPS || replaced > FEW.max(watched))
            && let Some(first) = self.steps.pop_front()
        {
            let Some(second) = self.steps.front_mut() else {
                self.steps.push_front(first);
                break;
            };
            replaced -= first.undo.len() + second.undo.len();
            second.follow(first);
            replaced += second.undo.len();
        }
        // What came and went since the oldest version adds up as well.
        while replaced > 2 * FEW.max(watched)
            && let Some(step) = self.steps.pop_front()
        {
            replaced -= step.undo.len();
            self.oldest = step.version;
        }
        self.current.to_string()
    }

    /// Forgets what a filter that is gone had reported.
    pub(super) fn forget(&mut self, filter: u64) {
        self.open.forget(filter);
        for step in &mut self.steps {
            step.undo.retain(|undo| undo.filter != filter);
        }
    }
}

fn page_version(current: u64, page: u64) -> String {
    format!("{current}_{page}")
}

fn invalid() -> Fault {
    Fault::of(ty::InvalidCollectorVersion, "The version of the property collector is not valid.")
}
