//! Where the tables deviate from the files in `wsdl/`, one entry each, with its reason.

use super::collect::Symbols;

/// Applies every deviation to the collected symbols.
pub fn apply(_symbols: &mut Symbols) {}
