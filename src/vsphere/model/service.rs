//! The service instance and the managers that its content names.

use super::data::{Bindings, Bundle};
use super::{counters, privileges};
use crate::fault::Fault;
use crate::inventory::Transaction;
use crate::value::{DateTime, MoRef, Object};
use crate::vsphere::{descriptions, events};

/// Adds the service instance and everything that its content names, except the
/// root folder.
pub(super) fn insert(
    tx: &mut Transaction,
    esx: bool,
    about: &Object,
    now: DateTime,
) -> Result<(), Fault> {
    let end = now.after(std::time::Duration::from_secs(60 * 24 * 3600));
    let bindings: Bindings<'_> = &[
        ("now", now.into()),
        ("about", about.into()),
        ("evaluationEnd", end.into()),
        ("evaluationText", "The evaluation period has 60 days left".into()),
        ("privileges", privileges::privileges().into()),
        ("privilegeDescription", privileges::description().into()),
        ("roles", privileges::roles().into()),
        ("counters", counters::counters()?.into()),
        ("events", events::description().into()),
        ("tasks", descriptions::all().into()),
    ];
    let bundle = if esx {
        Bundle::load("esx.json", include_str!("data/esx.json"), bindings)?
    } else {
        Bundle::load("vcenter.json", include_str!("data/vcenter.json"), bindings)?
    };
    for (id, properties) in bundle.iter() {
        tx.insert(MoRef::new(properties.ty(), id), properties.clone());
    }
    Ok(())
}
