//! The collector itself: its filters, and calls that wait for them to change.
//!
//! Calls that wait are answered one after the other. A waiting call sleeps
//! until one of its filters' objects is touched, the time is up, or somebody
//! cancels; it never looks on its own account.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Notify, watch};

use super::Source;
use super::budget::{Budget, Exceeded};
use super::contents::{Contents, Page};
use super::page::{Pages, Retrieval};
use super::retrieve::Request;
use super::spec::FilterSpec;
use super::subscriptions::{Changed, Subscriptions};
use super::updates::Filter;
use super::versions::{From, Versions};
use crate::fault::Fault;
use crate::value::{MoRef, Object, Value};
use crate::{object, path};

/// How much a collector sends at a time when the client does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects in one page of a retrieval.
    pub objects: usize,
    /// Objects' updates in one page of a reply to `WaitForUpdatesEx`.
    pub updates: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { objects: 1000, updates: 100 }
    }
}

/// One `PropertyCollector` of one session.
#[derive(Debug)]
pub struct Collector {
    index: Arc<Subscriptions>,
    limits: Limits,
    budget: Arc<Budget>,
    state: Mutex<State>,
    pages: Mutex<Pages>,
    /// Held by the call that waits or computes; others stand in line.
    turn: tokio::sync::Mutex<()>,
    wake: Arc<Notify>,
    cancels: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    filters: Vec<Filter>,
    last_filter: u64,
    versions: Versions,
    closed: bool,
}

/// What a call that asks for updates wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    version: String,
    blocks: bool,
    max_wait: Option<Duration>,
    page: Option<usize>,
}

impl Wait {
    /// `CheckForUpdates`: what there is, now.
    pub fn check(version: &str) -> Self {
        Self { version: version.to_owned(), blocks: false, max_wait: None, page: None }
    }

    /// `WaitForUpdates`: what there is, once there is something.
    pub fn plain(version: &str) -> Self {
        Self { blocks: true, ..Self::check(version) }
    }

    /// `WaitForUpdatesEx` with its `WaitOptions`.
    pub fn ex(version: &str, options: Option<&Object>, limits: Limits) -> Result<Self, Fault> {
        let option = |path| options.and_then(|options| options.at(path)?.as_i64());
        let max_wait = match option(path!(WaitOptions, "maxWaitSeconds")) {
            None => None,
            Some(seconds) => Some(Duration::from_secs(
                u64::try_from(seconds)
                    .map_err(|_| Fault::invalid_argument("options.maxWaitSeconds"))?,
            )),
        };
        let page = match option(path!(WaitOptions, "maxObjectUpdates")) {
            None => limits.updates,
            Some(max) => at_least_one(max, "options.maxObjectUpdates")?,
        };
        let blocks = max_wait != Some(Duration::ZERO);
        Ok(Self { version: version.to_owned(), blocks, max_wait, page: Some(page) })
    }

    /// How long the call may wait; nothing when there is no bound, or when it
    /// does not wait at all.
    pub fn max_wait(&self) -> Option<Duration> {
        self.max_wait.filter(|_| self.blocks)
    }
}

fn at_least_one(number: i64, argument: &str) -> Result<usize, Fault> {
    usize::try_from(number)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| Fault::invalid_argument(argument))
}

impl Collector {
    /// A collector without filters, whose filters subscribe in `index` and may
    /// hold anything.
    pub fn new(index: Arc<Subscriptions>, limits: Limits) -> Self {
        Self::within(index, limits, Budget::new(usize::MAX))
    }

    /// A collector whose filters count against `budget`.
    pub fn within(index: Arc<Subscriptions>, limits: Limits, budget: Arc<Budget>) -> Self {
        Self {
            index,
            limits,
            budget,
            state: Mutex::default(),
            pages: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            wake: Arc::new(Notify::new()),
            cancels: watch::Sender::new(0),
        }
    }

    /// What the collector sends at a time when the client does not say.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Adds a filter that is known as `mo`. Nothing is read yet but whether the
    /// objects exist that it starts from.
    pub fn create_filter<S: Source>(
        &self,
        mo: MoRef,
        spec: &Object,
        partial: bool,
        source: &S,
    ) -> Result<(), Fault> {
        let spec = FilterSpec::compile(spec, "spec")?.known_to(source.speaks());
        if !spec.reports_missing()
            && let Some(gone) = spec.root_objects().find(|mo| source.get(mo).is_none())
        {
            return Err(Fault::not_found(gone));
        }
        let mut state = self.state();
        let number = state.last_filter + 1;
        let subscriber = self.index.subscriber(Arc::clone(&self.wake));
        let share = self.budget.share();
        let filter = Filter::new(mo, number, spec, partial, subscriber, share)?;
        state.last_filter = number;
        state.filters.push(filter);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Removes a filter; whether it was there.
    pub fn destroy_filter(&self, mo: &MoRef) -> bool {
        let mut state = self.state();
        let Some(place) = state.filters.iter().position(|filter| filter.mo() == mo) else {
            return false;
        };
        let filter = state.filters.remove(place);
        state.versions.forget(filter.number());
        true
    }

    /// The filters, in the order of their creation.
    pub fn filters(&self) -> Vec<MoRef> {
        self.state().filters.iter().map(|filter| filter.mo().clone()).collect()
    }

    /// The specification of a filter, and whether it tells partial updates.
    pub fn filter(&self, mo: &MoRef) -> Option<(Object, bool)> {
        let state = self.state();
        let filter = state.filters.iter().find(|filter| filter.mo() == mo)?;
        Some((filter.spec().value().clone(), filter.is_partial()))
    }

    /// `RetrievePropertiesEx`: the first page; nothing when nothing is selected.
    pub fn retrieve<'s, S: Source>(
        &self,
        specs: impl IntoIterator<Item = &'s Object>,
        options: Option<&Object>,
        source: &S,
    ) -> Result<Option<Page>, Fault> {
        let max = options.and_then(|options| options.at(path!(RetrieveOptions, "maxObjects")));
        let max = match max.and_then(Value::as_i64) {
            None => self.limits.objects,
            Some(max) => at_least_one(max, "options.maxObjects")?,
        };
        let request = Request::compile(specs)?.known_to(source.speaks());
        let (retrieval, contents) = Retrieval::start(&request, source, max)?;
        if contents.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.page(retrieval, contents)))
    }

    /// `ContinueRetrievePropertiesEx`: the page that `token` stands for.
    pub fn continue_retrieval<S: Source>(&self, token: &str, source: &S) -> Result<Page, Fault> {
        let mut retrieval = lock(&self.pages).take(token)?;
        let contents = retrieval.next_page(source);
        Ok(self.page(retrieval, contents))
    }

    /// `CancelRetrievePropertiesEx`: gives up what `token` stands for.
    pub fn cancel_retrieval(&self, token: &str) -> Result<(), Fault> {
        lock(&self.pages).take(token).map(drop)
    }

    fn page(&self, retrieval: Retrieval, contents: Contents) -> Page {
        Page { token: lock(&self.pages).keep(retrieval), contents }
    }

    /// Answers a call that asks for updates with an `UpdateSet`, or with
    /// nothing when there are none and it does not wait, or not any longer:
    /// that is when `timeout` ends. Time is the caller's, so that a stepped
    /// clock can end a wait as well as a real one.
    pub async fn wait<S: Source>(
        &self,
        wait: &Wait,
        source: impl Fn() -> S,
        timeout: impl Future<Output = ()>,
    ) -> Result<Option<Object>, Fault> {
        let mut cancelled = self.cancels.subscribe();
        let mut timeout = pin!(timeout);
        let _turn = tokio::select! {
            biased;
            turn = self.turn.lock() => turn,
            _ = cancelled.changed() => return Err(Fault::request_canceled()),
            () = &mut timeout, if wait.blocks => return Ok(None),
        };
        let mut entered = None;
        loop {
            // The first look at what a filter selects may be a look at everything.
            let anew = entered.is_none() && wait.version.is_empty();
            let large = if self.state().may_be_large(anew) {
                tokio::select! {
                    biased;
                    turn = self.index.large_look() => turn,
                    _ = cancelled.changed() => return Err(Fault::request_canceled()),
                }
            } else {
                None
            };
            let mut look = || self.look(wait, &mut entered, &source);
            let updates = if large.is_some() { aside(look) } else { look() };
            drop(large);
            if let Some(updates) = updates? {
                return Ok(Some(updates));
            }
            if !wait.blocks {
                return Ok(None);
            }
            tokio::select! {
                biased;
                _ = cancelled.changed() => return Err(Fault::request_canceled()),
                () = self.wake.notified() => {}
                () = &mut timeout => return Ok(None),
            }
        }
    }

    fn look<S: Source>(
        &self,
        wait: &Wait,
        entered: &mut Option<From>,
        source: &impl Fn() -> S,
    ) -> Result<Option<Object>, Fault> {
        let mut state = self.state();
        if state.closed {
            return Err(Fault::request_canceled());
        }
        let from = match entered {
            Some(from) => *from,
            None => *entered.insert(state.enter(wait)?),
        };
        Ok(state.updates(from, wait.page.unwrap_or(usize::MAX), source)?)
    }

    /// Ends the calls that are waiting.
    pub fn cancel_wait(&self) {
        self.cancels.send_modify(|count| *count += 1);
    }

    /// Ends the collector: its filters, its pages, and the calls that wait.
    pub fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let filters = std::mem::take(&mut state.filters);
        drop(state);
        // Outside the lock: leaving the index takes as long as the filters are large.
        drop(filters);
        *lock(&self.pages) = Pages::default();
        self.cancel_wait();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Does work that may take long; on a thread of many tasks, the others go on
/// meanwhile.
fn aside<T>(work: impl FnOnce() -> T) -> T {
    let runtime = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match runtime {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl State {
    fn may_be_large(&self, anew: bool) -> bool {
        self.filters.iter().any(|filter| filter.may_be_large(anew))
    }

    /// How many objects the filters watch together.
    fn watched(&self) -> usize {
        self.filters.iter().map(Filter::watched).sum()
    }

    fn enter(&mut self, wait: &Wait) -> Result<From, Fault> {
        let from = self.versions.enter(&wait.version, wait.page.is_some(), self.watched())?;
        if let From::Base(base) = from {
            for filter in &mut self.filters {
                filter.begin(base, self.versions.since(base));
            }
        }
        Ok(from)
    }

    /// The next reply, or page of one, if there is anything to tell.
    fn updates<S: Source>(
        &mut self,
        from: From,
        max: usize,
        newer: &impl Fn() -> S,
    ) -> Result<Option<Object>, Exceeded> {
        let mut source;
        let base = match from {
            // The rest of what was found when the first page was made.
            From::Page(base) => {
                source = newer();
                base
            }
            From::Base(base) => {
                // In this order: what a source does not show yet is marked later.
                let changed: Vec<Changed> =
                    self.filters.iter_mut().map(Filter::take_changed).collect();
                source = newer();
                for (filter, changed) in self.filters.iter_mut().zip(&changed) {
                    filter.refresh(changed, &mut source, newer)?;
                }
                base
            }
        };
        let mut left = max;
        let mut updates = Vec::new();
        let mut truncated = false;
        let next = self.versions.next();
        for filter in &mut self.filters {
            let (update, count, more) =
                filter.report(&source, left, next, self.versions.replaced());
            updates.extend(update);
            left -= count;
            truncated |= more;
            if truncated {
                break;
            }
        }
        let page = matches!(from, From::Page(_));
        if updates.is_empty() && !page {
            return Ok(None);
        }
        let version = if truncated {
            self.versions.page(base)
        } else {
            let watched = self.watched();
            self.versions.complete(base, watched)
        };
        Ok(Some(object!(UpdateSet {
            version: version,
            filterSet: updates,
            truncated: truncated.then_some(true),
        })))
    }
}

/// What is behind these locks is whole whenever somebody could panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
