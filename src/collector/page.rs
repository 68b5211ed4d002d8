//! Reading once, page by page: `RetrievePropertiesEx` and how it goes on.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Source;
use super::contents::{Contents, Found};
use super::property::{Shared, Slots};
use super::retrieve::Request;
use crate::fault::Fault;
use crate::value::{MoRef, Str};

/// How many retrievals of one collector can be unfinished at a time; the
/// oldest is given up for a new one.
const UNFINISHED: usize = 64;

/// How many objects all of them together may have left to read, unless it is
/// only one.
const LEFT: usize = 200_000;

/// A retrieval that is answered page by page. Between pages it holds names
/// only: a page is read when it is asked for.
#[derive(Debug)]
pub(super) struct Retrieval {
    plans: Shared,
    /// What is left: objects, and the plan for each.
    rest: std::vec::IntoIter<(MoRef, u32)>,
    max: usize,
}

impl Retrieval {
    /// Starts a retrieval and finds its first page of at most `max` objects.
    pub(super) fn start<S: Source>(
        request: &Request,
        source: &S,
        max: usize,
    ) -> Result<(Self, Contents), Fault> {
        let (plans, mut found) = request.find(source)?;
        let rest = found.split_off(found.len().min(max));
        let rest: Vec<_> = rest.into_iter().map(|found| (found.object, found.plan)).collect();
        let contents = Contents::new(Arc::clone(&plans), found, source.limits());
        Ok((Self { plans, rest: rest.into_iter(), max }, contents))
    }

    /// Finds the next page; objects that have gone meanwhile are left out.
    pub(super) fn next_page<S: Source>(&mut self, source: &S) -> Contents {
        let mut found = Vec::new();
        while found.len() < self.max
            && let Some((object, plan)) = self.rest.next()
        {
            let slots = self.plans.get(plan as usize).map(|plan| plan.slots());
            if let Some(properties) = source.get_some(&object, slots.unwrap_or(Slots::ALL)) {
                found.push(Found { object, properties, plan });
            }
        }
        Contents::new(Arc::clone(&self.plans), found, source.limits())
    }

    /// How many objects are left to read.
    fn left(&self) -> usize {
        self.rest.len()
    }
}

/// The unfinished retrievals of one collector, each under a token that is good
/// for one call.
#[derive(Debug, Default)]
pub(super) struct Pages {
    last_token: u64,
    unfinished: VecDeque<(u64, Retrieval)>,
}

impl Pages {
    /// Keeps what is left of a retrieval; the token under which it goes on.
    pub(super) fn keep(&mut self, retrieval: Retrieval) -> Option<Str> {
        if retrieval.left() == 0 {
            return None;
        }
        let held = self.unfinished.iter().map(|(_, other)| other.left()).sum::<usize>();
        let mut left = held + retrieval.left();
        while (self.unfinished.len() >= UNFINISHED || left > LEFT)
            && let Some((_, given_up)) = self.unfinished.pop_front()
        {
            left -= given_up.left();
        }
        self.last_token += 1;
        self.unfinished.push_back((self.last_token, retrieval));
        Some(Str::from(self.last_token.to_string()))
    }

    /// The retrieval that `token` stands for; the token is used up.
    pub(super) fn take(&mut self, token: &str) -> Result<Retrieval, Fault> {
        self.unfinished
            .iter()
            .position(|(number, _)| number.to_string() == token)
            .and_then(|place| self.unfinished.remove(place))
            .map(|(_, retrieval)| retrieval)
            .ok_or_else(|| Fault::invalid_argument("token"))
    }
}
