//! Lists of references that are long and filled one by one while the inventory
//! is built, written once at the end.

use std::collections::HashMap;

use crate::fault::Fault;
use crate::inventory::Transaction;
use crate::schema::StaticPath;
use crate::value::MoRef;

/// Lists in the making: of which object, under which property.
#[derive(Debug, Default)]
pub(super) struct Links {
    places: HashMap<(MoRef, &'static StaticPath), usize>,
    lists: Vec<(MoRef, &'static StaticPath, Vec<MoRef>)>,
}

impl Links {
    /// Puts `item` at the end of the list `path` of `owner`.
    pub(super) fn add(&mut self, owner: &MoRef, path: &'static StaticPath, item: &MoRef) {
        let place = *self.places.entry((owner.clone(), path)).or_insert_with(|| {
            self.lists.push((owner.clone(), path, Vec::new()));
            self.lists.len() - 1
        });
        if let Some((_, _, items)) = self.lists.get_mut(place) {
            items.push(item.clone());
        }
    }

    /// Writes the lists.
    pub(super) fn write(self, tx: &mut Transaction) -> Result<(), Fault> {
        self.lists.into_iter().try_for_each(|(owner, path, items)| tx.set(&owner, path, items))
    }
}
