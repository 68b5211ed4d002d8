//! Reading once, page by page: `RetrievePropertiesEx` and how it goes on.

use std::collections::VecDeque;

use super::Source;
use super::retrieve::{Request, Selected};
use crate::fault::Fault;
use crate::value::{Object, Str};

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
    request: Request,
    rest: std::vec::IntoIter<Selected>,
    max: usize,
}

impl Retrieval {
    /// Starts a retrieval and reads its first page of at most `max` objects.
    pub(super) fn start<S: Source>(
        mut request: Request,
        source: &S,
        max: usize,
    ) -> Result<(Self, Vec<Object>), Fault> {
        let (contents, rest) = request.retrieve_some(source, max)?;
        Ok((Self { request, rest: rest.into_iter(), max }, contents))
    }

    /// Reads the next page; objects that have gone meanwhile are left out.
    pub(super) fn next_page<S: Source>(&mut self, source: &S) -> Vec<Object> {
        let mut contents = Vec::new();
        while contents.len() < self.max
            && let Some(selected) = self.rest.next()
        {
            if let Some(object) = source.get(&selected.object) {
                contents.push(self.request.content(source, &selected, &object));
            }
        }
        contents
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
