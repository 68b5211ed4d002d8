//! Objects whose type may come after their fields: they are read whole, and
//! then given out again with the type in front.

use serde::de::{Error, MapAccess};
use serde_json::Value as Json;

/// The name of the field that has an object's type.
pub(super) const TYPE_NAME: &str = "_typeName";

/// The entries of an object, in the order in which they stand.
pub(super) type Entries = Vec<(String, Json)>;

/// Reads what is left of an object that begins with a field called `first`, and
/// puts its `_typeName`, if it has one, in front.
pub(super) fn read<'de, A: MapAccess<'de>>(
    map: &mut A,
    first: String,
) -> Result<Entries, A::Error> {
    let mut entries = vec![(first, map.next_value()?)];
    while let Some(entry) = map.next_entry()? {
        entries.push(entry);
    }
    if let Some(at) = entries.iter().position(|(name, _)| name == TYPE_NAME) {
        entries.get_mut(..=at).unwrap_or_default().rotate_right(1);
    }
    Ok(entries)
}

/// Carries an error from what was read before over to where reading stands.
pub(super) fn carry<E: Error>(error: &serde_json::Error) -> E {
    E::custom(error)
}
