//! The class `event`: what has changed, told to those who wait for it.
//!
//! ```text
//!   commit ──► Hub: ledger of stamps ──► who waits for the object, or its class
//!                 │                          │ woken; 50 ms to gather more
//!                 │ registered sessions      ▼
//!                 └──► a queue each       event.from: what is later than its token
//!                        │
//!                        └──► event.next
//! ```
//!
//! The ledger knows of every object that clients can see when it came into
//! being and when it changed last, as numbers of commits; a token is such a
//! number. It is begun by the first call of this class and kept up to date by
//! commits from then on: who never asks for events pays nothing for them.
//!
//! Decisions where the sources leave room or disagree:
//!
//! - Tasks do emit events, as implemented; one document denies it.
//! - `id` and `timestamp` are texts, as on the wire; they are documented as a
//!   number and a date.
//! - The second number of a token counts messages, of which there are none.
//! - A first call (token `""`) is answered without the pause that gathers
//!   events: all objects are in it anyway.
//! - Of objects that were destroyed, the last hundred thousand are remembered.
//!   A client with an older token learns from `valid_ref_counts` that it missed
//!   something, and reads everything again.
//! - Sessions emit no events: their references are secrets.

mod from;
mod hub;
mod ledger;
mod legacy;
mod messages;
mod subscription;

use super::class::Class;

pub use hub::Hub;

/// The class. It has no objects: an event is only told.
pub(super) static CLASS: Class = Class {
    name: "event",
    fields: &[],
    messages: messages::MESSAGES,
    objects: |_| Vec::new(),
    exists: |_, _| false,
    by_uuid: |_, _| None,
    listed: false,
    own_getters: &["get_record", "get_by_uuid"],
};
