//! Reading: what the PropertyCollector finds, reports, and waits for.
//!
//! Nothing here changes the inventory. A [`Source`] is what one caller sees at
//! one moment: a snapshot, plus what only the caller's session has (views,
//! filters), plus what is computed (a server's clock).
//!
//! ```text
//!   PropertyFilterSpec ──► spec ──► FilterSpec
//!                                     │
//!        once:   traverse ──► retrieve, page        (Retrieve*, Fetch)
//!     standing:  membership ──► updates ──► wait    (CreateFilter, WaitForUpdates*)
//!                    │                       ▲
//!                    └──► subscriptions ─────┘  woken by commits, and only by those
//! ```
//!
//! - `spec`: a filter's specification, checked against the schema and compiled
//! - `property`: the selected properties of one type and how they are read
//! - `traverse`: the objects a specification selects, found by one walk
//! - `membership`: the same set, kept up to date change by change
//! - `retrieve`, `page`: reading once, whole or page by page
//! - `updates`: what a filter has told its client, and what it tells next
//! - `versions`: where a client can go on from
//! - `wait`: waiting and cancelling; the collector itself
//! - `subscriptions`: which filter depends on which object

mod membership;
mod page;
mod property;
mod retrieve;
mod spec;
mod subscriptions;
mod traverse;
mod updates;
mod versions;
mod wait;

pub use retrieve::{Request, fetch};
pub use spec::FilterSpec;
pub use subscriptions::{Subscriptions, Watch};
pub use wait::{Collector, Limits, Wait};

use crate::fault::Fault;
use crate::inventory::Properties;
use crate::schema::{Field, Version};
use crate::value::MoRef;

/// What one caller sees at one moment.
pub trait Source {
    /// The properties of `mo` as the caller sees them; nothing when there is
    /// no such object.
    fn get(&self, mo: &MoRef) -> Option<Properties>;

    /// Names the objects, other than `mo` itself, whose change may change what
    /// [`Source::get`] says of `mo`; a view depends on what it walks through.
    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef));

    /// Whether the caller may read a property of `mo`; the fault goes into the
    /// missing set.
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault>;

    /// The API version that the caller speaks: it knows no property that came
    /// later.
    fn speaks(&self) -> Version {
        Version::NEWEST
    }

    /// The moment: a number that is another one whenever anything that
    /// [`Source::get`] shows may be another. What a filter reads before it has
    /// subscribed is read again if the moment has passed meanwhile.
    fn version(&self) -> u64;
}
