//! `EventHistoryCollector`: the events that a filter lets through, page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::filter::EventFilter;
use super::{description, manager};
use crate::engine::{Weight, events_in};
use crate::event::EventRecord;
use crate::fault::Fault;
use crate::inventory::Snapshot;
use crate::object;
use crate::schema::{Type, method, ty};
use crate::value::Object;
use crate::vsphere::authorization::Access;
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::history::{self, Collector, History};
use crate::vsphere::service::Service;

#[rustfmt::skip]
pub(in crate::vsphere) const METHODS: &[Entry] = &[
    (ty::EventManager, method::CreateCollectorForEvents, Handler::Now(create)),
    (ty::EventHistoryCollector, method::ReadNextEvents, Handler::Now(read_next)),
    (ty::EventHistoryCollector, method::ReadPreviousEvents, Handler::Now(read_previous)),
    (ty::EventHistoryCollector, method::RewindCollector, Handler::Now(history::rewind::<Events>)),
    (ty::EventHistoryCollector, method::ResetCollector, Handler::Now(history::reset::<Events>)),
    (ty::EventHistoryCollector, method::SetCollectorPageSize, Handler::Now(history::set_page_size::<Events>)),
    (ty::EventHistoryCollector, method::DestroyCollector, Handler::Now(history::destroy)),
];

/// How long a page takes that need not be there at once.
const A_MOMENT: Duration = Duration::from_millis(10);

/// The events that a filter lets through.
struct Events {
    filter: EventFilter,
    /// Whether the latest page is shown.
    ready: Arc<AtomicBool>,
}

impl Events {
    fn passes(&self, event: &EventRecord) -> bool {
        self.filter.passes(event)
    }
}

impl History for Events {
    type Entry = Arc<EventRecord>;

    const COLLECTOR: Type = ty::EventHistoryCollector;
    const ENTRY: Type = ty::Event;
    // Clients that set the size after they have made the collector expect the
    // page to have it, as one that is made with a size has.
    const REFILLS: bool = true;

    fn key(event: &Self::Entry) -> u64 {
        u64::try_from(event.key).unwrap_or_default()
    }

    /// An event never changes.
    fn stamp(_: &Self::Entry) -> u32 {
        0
    }

    fn show(&self, event: &Self::Entry) -> Object {
        description::show(event, self.filter.message)
    }

    fn shows(access: &Access, event: &Self::Entry) -> bool {
        manager::may_see(access, event)
    }

    fn properties(&self, filter: &Object, page: Vec<Object>) -> Object {
        let ready = self.ready.load(Ordering::Acquire);
        object!(EventHistoryCollector {
            filter: filter,
            latestPage: if ready { page } else { Vec::new() },
            initialized: ready,
        })
    }

    fn newer(&self, state: &Snapshot, after: u64, max: usize) -> Vec<Self::Entry> {
        let Some(log) = events_in(state) else { return Vec::new() };
        let mut span = self.filter.span(log);
        span.start = span.start.max(log.partition_point(|event| number(event) <= after));
        log.range(span).filter(|event| self.passes(event)).take(max).cloned().collect()
    }

    fn older(&self, state: &Snapshot, first: u64, before: u64, max: usize) -> Vec<Self::Entry> {
        let Some(log) = events_in(state) else { return Vec::new() };
        let mut span = self.filter.span(log);
        span.start = span.start.max(log.partition_point(|event| number(event) < first));
        span.end = span.end.min(log.partition_point(|event| number(event) < before));
        log.range(span).rev().filter(|event| self.passes(event)).take(max).cloned().collect()
    }

    fn newest(&self, state: &Snapshot) -> u64 {
        events_in(state).and_then(|log| log.latest()).map_or(0, |event| number(event))
    }

    fn settled(&self, state: &Snapshot) -> u64 {
        self.newest(state) + 1
    }
}

fn number(event: &EventRecord) -> u64 {
    u64::try_from(event.key).unwrap_or_default()
}

fn create(service: &Service, call: &Call) -> Answer {
    let spec = call.required(arg!(CreateCollectorForEvents.filter))?.as_object();
    let spec = spec.ok_or_else(|| Fault::invalid_argument("filter"))?;
    let filter = EventFilter::new(spec, &service.content().root_folder)?;
    let (size, delayed) = (filter.count, filter.delayed);
    let ready = Arc::new(AtomicBool::new(!delayed));
    let events = Events { filter, ready: Arc::clone(&ready) };
    let (signal, state) = (call.this.clone(), service.engine().snapshot());
    let collector = Collector::new(events, spec.clone(), signal.clone(), &state, size);
    let made = history::add(service, call, service.config().tasks.collectors, collector)?;
    if delayed {
        service.engine().after(A_MOMENT, Weight::Work, move |engine| {
            ready.store(true, Ordering::Release);
            let told = engine.commit(|tx| {
                tx.touch(&signal);
                Ok(())
            });
            debug_assert!(told.is_ok(), "touching cannot fail");
        });
    }
    Ok(made)
}

fn read_next(service: &Service, call: &Call) -> Answer {
    history::read_next::<Events>(service, call, arg!(ReadNextEvents.maxCount))
}

fn read_previous(service: &Service, call: &Call) -> Answer {
    history::read_previous::<Events>(service, call, arg!(ReadPreviousEvents.maxCount))
}
