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
//! - `contents`: what was found, read by who writes it down
//! - `updates`: what a filter has told its client, and what it tells next
//! - `versions`: where a client can go on from
//! - `wait`: waiting and cancelling; the collector itself
//! - `subscriptions`: which filter depends on which object
//! - `budget`: how much of all this a client may have
//!
//! # What a client can make a collector hold
//!
//! | what | how much |
//! | --- | --- |
//! | members of its filters, with the state in which each was reported | as its [`Budget`] says; a filter over more ends the wait with a fault |
//! | specifications of filters | count against the same |
//! | objects that changed and were not asked for | an eighth of those that the filter watches, at least 256; then "anything may have changed" |
//! | updates that were not fetched | none: a page is computed when it is asked for |
//! | states before the latest replies, so that a lost one can be repeated | 16 replies, and twice as many objects as are watched, at least 2,000; then versions in between are no longer valid, and at last the old one |
//! | unfinished retrievals | 64, and 200,000 names together; the oldest are given up |
//! | calls that wait | one at work, the others stand in line; each is a request of a connection, and those are counted |

mod budget;
mod contents;
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

pub use budget::{Budget, Exceeded, Share, weight};
pub use contents::{Contents, Nobody, Page, Row, Told, missing_property};
pub use property::Slots;
pub use retrieve::{Request, fetch};
pub use spec::FilterSpec;
pub use subscriptions::{Subscriptions, Watch};
pub use wait::{Collector, Limits, Wait};

use std::sync::Arc;

use crate::fault::Fault;
use crate::inventory::Properties;
use crate::schema::{Field, Version};
use crate::value::MoRef;

/// Who may read what.
pub trait MayRead: std::fmt::Debug + Send + Sync {
    /// Whether a property of `mo` may be read, and why not.
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault>;
}

/// What one caller sees at one moment.
pub trait Source {
    /// The properties of `mo` as the caller sees them; nothing when there is
    /// no such object.
    fn get(&self, mo: &MoRef) -> Option<Properties>;

    /// As [`Source::get`], if of the properties only those in `slots` will be
    /// read: what is computed for others may be left out.
    fn get_some(&self, mo: &MoRef, slots: Slots) -> Option<Properties> {
        let _ = slots;
        self.get(mo)
    }

    /// Names the objects, other than `mo` itself, whose change may change what
    /// [`Source::get`] says of `mo`; a view depends on what it walks through.
    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef));

    /// What keeps properties from the caller; nothing for who may read all.
    fn limits(&self) -> Option<Arc<dyn MayRead>>;

    /// Whether the caller may read a property of `mo`; the fault goes into the
    /// missing set.
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault> {
        self.limits().map_or(Ok(()), |limits| limits.may_read(mo, property))
    }

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
