//! History collectors: what happened, read page by page from either end, and
//! the latest of it as a property that can be watched.
//!
//! ```text
//!    oldest                 position                 newest
//!      ├──────────────────────┊───────────┬────────────┤
//!          ReadPrevious ◄─────┊─────► ReadNext
//!      ┊                                  ┊ latestPage │
//!    Rewind                             Reset
//! ```
//!
//! The position is a gap between two entries, so what was read by going one
//! way is read again by going back. A [`History`] is what some filter lets
//! through of tasks or of events; everything else is the same for both.

mod page;
pub(super) mod tasks;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::page::LatestPage;
use super::authorization::Access;
use super::call::{Call, arg};
use super::dispatch::Answer;
use super::property_collector::session_moref;
use super::service::Service;
use super::session::SessionObject;
use crate::collector::{Share, weight};
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::schema::Type;
use crate::value::{Array, MoRef, Object, Value};

/// How many entries the latest page has at first: what vCenter was seen to do.
const PAGE: usize = 10;

/// The largest page. vCenter's guide names it for the latest page; for pages
/// that are read it is our bound on what one call can ask for.
const LARGEST_PAGE: usize = 1000;

/// A history of entries in the order of their making, as one filter sees it.
pub(super) trait History: Send + Sync + 'static {
    /// What the history is made of.
    type Entry: Send;

    /// The type of its collectors.
    const COLLECTOR: Type;

    /// The type of an entry as it is sent.
    const ENTRY: Type;

    /// Whether a latest page that is made larger shows older entries at once;
    /// otherwise it grows with what is new.
    const REFILLS: bool;

    /// A number that rises with each entry made, from one.
    fn key(entry: &Self::Entry) -> u64;

    /// Another number whenever the latest page is to show the entry anew.
    fn stamp(entry: &Self::Entry) -> u32;

    /// The entry as it is sent.
    fn show(&self, entry: &Self::Entry) -> Object;

    /// Whether a caller may see the entry who may not see everything.
    fn shows(access: &Access, entry: &Self::Entry) -> bool;

    /// The properties of a collector.
    fn properties(&self, filter: &Object, page: Vec<Object>) -> Object;

    /// The entries with keys above `after`, oldest first, `max` of them.
    fn newer(&self, state: &Snapshot, after: u64, max: usize) -> Vec<Self::Entry>;

    /// The entries with keys from `first` on and below `before`, newest first,
    /// `max` of them.
    fn older(&self, state: &Snapshot, first: u64, before: u64, max: usize) -> Vec<Self::Entry>;

    /// The key of the newest entry, whether it passes the filter or not.
    fn newest(&self, state: &Snapshot) -> u64;

    /// The lowest key whose entry can still change, or pass the filter later;
    /// one above [`History::newest`] if there is none.
    fn settled(&self, state: &Snapshot) -> u64;
}

/// A history collector in its session.
pub(super) struct Collector<H: History> {
    history: H,
    /// The filter as the client gave it.
    filter: Object,
    /// The object that is touched whenever the history has changed.
    signal: MoRef,
    view: Mutex<View<H>>,
    /// What the filter counts, once a session has the collector.
    share: Option<Share>,
}

/// Where a collector is.
struct View<H: History> {
    /// The highest key behind the position.
    position: u64,
    page: LatestPage<H>,
}

impl<H: History> Collector<H> {
    /// A collector over `history`, at its oldest entry, with a latest page of
    /// the size that is asked for.
    pub(super) fn new(
        history: H,
        filter: Object,
        signal: MoRef,
        state: &Snapshot,
        size: Option<usize>,
    ) -> Self {
        let mut page = LatestPage::new(size.unwrap_or(PAGE));
        page.look(&history, state);
        Self { history, filter, signal, view: Mutex::new(View { position: 0, page }), share: None }
    }

    fn read_next(&self, state: &Snapshot, max: usize) -> Vec<H::Entry> {
        let mut view = self.view();
        let entries = self.history.newer(state, view.position, max);
        if let Some(last) = entries.last() {
            view.position = H::key(last);
        }
        entries
    }

    fn read_previous(&self, state: &Snapshot, max: usize) -> Vec<H::Entry> {
        let mut view = self.view();
        let entries = self.history.older(state, 0, view.position.saturating_add(1), max);
        if let Some(last) = entries.last() {
            view.position = H::key(last) - 1;
        }
        entries
    }

    fn rewind(&self) {
        self.view().position = 0;
    }

    /// Goes to just before the latest page; if that is empty, to the end.
    fn reset(&self, state: &Snapshot) {
        let mut view = self.view();
        view.page.look(&self.history, state);
        view.position =
            view.page.first_key().map_or_else(|| self.history.newest(state), |key| key - 1);
    }

    fn set_page_size(&self, state: &Snapshot, size: usize) {
        self.view().page.resize(&self.history, state, size);
    }

    /// The properties with those entries of the latest page that `shows` lets
    /// through. They count as entries of the page all the same.
    fn properties_if(&self, state: &Snapshot, shows: impl Fn(&H::Entry) -> bool) -> Object {
        let mut view = self.view();
        view.page.look(&self.history, state);
        self.history.properties(&self.filter, view.page.objects(shows))
    }

    fn view(&self) -> MutexGuard<'_, View<H>> {
        // Nothing panics in between, and every state of a view is whole.
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: History> SessionObject for Collector<H> {
    fn properties(&self, snapshot: &Snapshot) -> Object {
        self.properties_if(snapshot, |_| true)
    }

    fn properties_for(&self, snapshot: &Snapshot, access: &Access) -> Object {
        self.properties_if(snapshot, |entry| H::shows(access, entry))
    }

    fn depends(&self, _: &Snapshot, add: &mut dyn FnMut(&MoRef)) {
        add(&self.signal);
    }
}

/// Gives the caller's session a collector, if it has fewer than `limit`.
pub(super) fn add<H: History>(
    service: &Service,
    call: &Call,
    limit: usize,
    mut collector: Collector<H>,
) -> Answer {
    let session = call.session()?;
    let mut share = session.budget().share();
    share.hold(weight(&collector.filter))?;
    collector.share = Some(share);
    let mo = session_moref(service, session, H::COLLECTOR);
    if !session.add_limited(mo.clone(), Arc::new(collector), H::COLLECTOR, limit) {
        return Err(Fault::invalid_state());
    }
    Ok(Some(mo.into()))
}

/// The collector that a call is for.
fn collector<H: History>(call: &Call) -> Result<Arc<Collector<H>>, Fault> {
    call.session()?.object_as(&call.this).ok_or_else(|| Fault::not_found(&call.this))
}

/// The argument `maxCount` at `slot`; one that is not above zero is refused.
fn max_count(call: &Call, slot: usize) -> Result<usize, Fault> {
    let count = call.required(slot)?.as_i32().and_then(|count| usize::try_from(count).ok());
    count
        .filter(|count| *count > 0)
        .map(|count| count.min(LARGEST_PAGE))
        .ok_or_else(|| Fault::invalid_argument("maxCount"))
}

/// Answers `ReadNext…`.
pub(super) fn read_next<H: History>(service: &Service, call: &Call, slot: usize) -> Answer {
    let (collector, max) = (collector::<H>(call)?, max_count(call, slot)?);
    let state = service.engine().snapshot();
    let entries = collector.read_next(&state, max);
    reply(service, call, &state, &collector.history, &entries)
}

/// Answers `ReadPrevious…`.
pub(super) fn read_previous<H: History>(service: &Service, call: &Call, slot: usize) -> Answer {
    let (collector, max) = (collector::<H>(call)?, max_count(call, slot)?);
    let state = service.engine().snapshot();
    let entries = collector.read_previous(&state, max);
    reply(service, call, &state, &collector.history, &entries)
}

/// A page as the caller sees it. What the caller may not see is left out of
/// the page and not made up for: so vCenter does it.
fn reply<H: History>(
    service: &Service,
    call: &Call,
    state: &Arc<Snapshot>,
    history: &H,
    entries: &[H::Entry],
) -> Answer {
    let access = service.access(call.session()?, state);
    let seen = entries.iter().filter(|entry| access.as_ref().is_none_or(|a| H::shows(a, entry)));
    let entries = seen.map(|entry| Value::Object(history.show(entry))).collect();
    Ok(Some(Array::new(H::ENTRY, entries).into()))
}

/// Answers `RewindCollector`.
pub(super) fn rewind<H: History>(_: &Service, call: &Call) -> Answer {
    collector::<H>(call)?.rewind();
    Ok(None)
}

/// Answers `ResetCollector`.
pub(super) fn reset<H: History>(service: &Service, call: &Call) -> Answer {
    collector::<H>(call)?.reset(&service.engine().snapshot());
    Ok(None)
}

/// Answers `SetCollectorPageSize`; zero asks for the size at first.
pub(super) fn set_page_size<H: History>(service: &Service, call: &Call) -> Answer {
    let collector = collector::<H>(call)?;
    let size = call.required(arg!(SetCollectorPageSize.maxCount))?.as_i32();
    let size = size.and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size <= LARGEST_PAGE);
    let size = size.ok_or_else(|| Fault::invalid_argument("maxCount"))?;
    collector.set_page_size(&service.engine().snapshot(), if size == 0 { PAGE } else { size });
    service.touch(&call.this);
    Ok(None)
}

/// Answers `DestroyCollector`.
pub(super) fn destroy(service: &Service, call: &Call) -> Answer {
    call.session()?.remove_object(&call.this);
    service.touch(&call.this);
    Ok(None)
}
