//! The initial inventory.

pub mod options;

pub use options::ModelOptions;

use crate::fault::Fault;
use crate::inventory::Transaction;
use crate::value::DateTime;

/// Makes the initial inventory.
pub fn build(_tx: &mut Transaction, _options: &ModelOptions, _now: DateTime) -> Result<(), Fault> {
    Ok(())
}
