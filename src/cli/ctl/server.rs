//! `vimsim ctl counters` and `vimsim ctl find`.

use clap::Args;

use super::client::{Client, CtlError, encode};
use super::{Output, table};
use crate::wire::control::model;

/// What became of calls.
#[derive(Debug, Args)]
pub(super) struct Counters {
    /// Count from zero again; shows what was counted until now
    #[arg(long)]
    reset: bool,
}

impl Counters {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let counters: model::Counters = if self.reset {
            client.call("DELETE", "/counters", None::<&()>)?
        } else {
            client.get("/counters")?
        };
        out.show(&counters, |counters| {
            let rows = counters.unsupported.iter();
            let rows = rows.map(|(name, count)| vec![name.clone(), count.to_string()]);
            table::render(&["UNSUPPORTED METHOD", "CALLS"], rows)
        })
    }
}

/// Inventory objects.
#[derive(Debug, Args)]
pub(super) struct Find {
    /// A reference (vm-12), an inventory path (/DC0/vm/DC0_H0_VM0) or a name
    text: String,
}

impl Find {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let found: model::Entities =
            client.get(&format!("/objects?find={}", encode(&self.text)))?;
        let none = found.objects.is_empty();
        out.show(&found, |found| {
            let rows = found.objects.iter().map(|object| {
                vec![
                    format!("{}:{}", object.kind, object.id),
                    table::or_dash(object.name.as_ref()),
                    table::or_dash(object.path.as_ref()),
                ]
            });
            if none { String::new() } else { table::render(&["REFERENCE", "NAME", "PATH"], rows) }
        })?;
        if none { Err(CtlError::Failed(format!("there is no {}", self.text))) } else { Ok(()) }
    }
}
