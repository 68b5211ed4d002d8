//! Reading: what the PropertyCollector finds, reports, and waits for.
//!
//! Nothing here changes the inventory. A [`Source`] is what one caller sees at
//! one moment: a snapshot, plus what only the caller's session has (views,
//! filters), plus what is computed (a server's clock).

use crate::fault::Fault;
use crate::schema::Field;
use crate::value::{MoRef, Object};

/// What one caller sees at one moment.
pub trait Source {
    /// The properties of `mo` as the caller sees them; nothing when there is
    /// no such object.
    fn get(&self, mo: &MoRef) -> Option<Object>;

    /// Names the objects, other than `mo` itself, whose change may change what
    /// [`Source::get`] says of `mo`; a view depends on what it walks through.
    fn depends(&self, mo: &MoRef, add: &mut dyn FnMut(&MoRef));

    /// Whether the caller may read a property of `mo`; the fault goes into the
    /// missing set.
    fn may_read(&self, mo: &MoRef, property: Field) -> Result<(), Fault>;
}
