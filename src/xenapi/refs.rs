//! References and UUIDs: names for objects that follow from the seed, so that
//! nothing has to be remembered to give them out.
//!
//! A task's reference is its number, enciphered: it can be read back, however
//! long ago the task ended. Other references are digests; to read them back
//! there is an index, which is made anew when a reference is not in it and the
//! inventory has changed since.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::ids::Ids;
use crate::inventory::Snapshot;
use crate::schema::{Type, ty};
use crate::task::TaskId;
use crate::value::{MoRef, Str};

/// What references begin with.
const PREFIX: &str = "OpaqueRef:";

/// The half of what a UUID of version 4 can hold.
const HALF: u64 = (1 << 61) - 1;

/// What stands beside a task's number in its reference.
const TASK: u64 = 0x0074_6173_6b5f_7265 & HALF;

/// What stands beside a task's number in its UUID.
const TASK_UUID: u64 = 0x0074_6173_6b5f_7569 & HALF;

const ROUNDS: u64 = 6;

type Hasher = foldhash::fast::FixedState;

/// The names of one simulator's objects.
#[derive(Debug)]
pub struct Refs {
    seed: u64,
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    /// The version of the inventory that it was made from.
    version: Option<u64>,
    objects: HashMap<u128, MoRef, Hasher>,
}

impl Refs {
    /// Names that follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, index: Mutex::default() }
    }

    /// The reference to an object.
    pub fn reference(&self, mo: &MoRef) -> Str {
        let uuid = match TaskId::of(mo) {
            Some(id) => self.encipher(id.number(), TASK),
            None => self.digest(mo),
        };
        Str::from(format!("{PREFIX}{uuid}"))
    }

    /// The UUID of a task.
    pub fn task_uuid(&self, id: TaskId) -> Str {
        Str::from(self.encipher(id.number(), TASK_UUID).to_string())
    }

    /// The task that a UUID names.
    pub fn task_by_uuid(&self, uuid: &str) -> Option<TaskId> {
        self.decipher(parse(uuid)?, TASK_UUID).map(TaskId::new)
    }

    /// A UUID for something that has none of its own.
    pub fn uuid(&self, what: &str) -> Str {
        let hash = Hasher::with_seed(self.seed ^ 0x7575_6964).hash_one(what);
        Str::from(Ids::seeded(hash).uuid().to_string())
    }

    /// What a reference names: any task number, or an object of the inventory.
    pub fn resolve(&self, reference: &str, state: &Snapshot) -> Option<MoRef> {
        let uuid = parse(reference.strip_prefix(PREFIX)?)?;
        if let Some(number) = self.decipher(uuid, TASK) {
            return Some(TaskId::new(number).moref());
        }
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mo) = index.objects.get(&uuid.as_u128()) {
            return Some(mo.clone());
        }
        if index.version == Some(state.version()) {
            return None;
        }
        index.version = Some(state.version());
        let named = state.iter().filter(|(mo, _)| is_named(mo.ty()));
        index.objects = named.map(|(mo, _)| (self.digest(mo).as_u128(), mo.clone())).collect();
        index.objects.get(&uuid.as_u128()).cloned()
    }

    fn digest(&self, mo: &MoRef) -> Uuid {
        let hash = Hasher::with_seed(self.seed).hash_one((mo.ty().name(), mo.id()));
        Ids::seeded(hash).uuid()
    }

    /// Two halves, mixed into each other in both directions.
    fn encipher(&self, number: u64, kind: u64) -> Uuid {
        let (mut left, mut right) = (number & HALF, kind);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mix(right, round));
        }
        let low = u128::from(left) << 61 | u128::from(right);
        // Around the version and the variant.
        let (top, middle) = (low >> 74, low >> 62 & 0xfff);
        let bits = top << 80 | 4 << 76 | middle << 64 | 2 << 62 | low & ((1 << 62) - 1);
        Uuid::from_u128(bits)
    }

    fn decipher(&self, uuid: Uuid, kind: u64) -> Option<u64> {
        let bits = uuid.as_u128();
        if bits >> 76 & 0xf != 4 || bits >> 62 & 3 != 2 {
            return None;
        }
        let low = bits >> 80 << 74 | (bits >> 64 & 0xfff) << 62 | bits & ((1 << 62) - 1);
        let (mut left, mut right) = ((low >> 61) as u64 & HALF, low as u64 & HALF);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mix(left, round), left);
        }
        (right == kind).then_some(left)
    }

    fn mix(&self, half: u64, round: u64) -> u64 {
        let key = self.seed.wrapping_add(round.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Ids::seeded(half ^ key).bits() & HALF
    }
}

/// A UUID as it is given out; other ways to write it are not known.
fn parse(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

/// Whether objects of the type have a reference.
fn is_named(of: Type) -> bool {
    of.is_a(ty::VirtualMachine) || of.is_a(ty::HostSystem) || of == ty::ServiceInstance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_of_a_task_can_be_read_back() {
        let refs = Refs::new(7);
        let nothing = Snapshot::empty();
        for number in [1, 2, 1000, u64::from(u32::MAX) + 5, HALF] {
            let mo = TaskId::new(number).moref();
            let text = refs.reference(&mo);
            assert_eq!(refs.resolve(&text, &nothing), Some(mo), "{text}");
            let uuid = refs.task_uuid(TaskId::new(number));
            assert_eq!(refs.task_by_uuid(&uuid), Some(TaskId::new(number)));
            assert!(!text.ends_with(uuid.as_str()));
            assert_eq!(Uuid::parse_str(&uuid).map(|uuid| uuid.get_version_num()), Ok(4));
        }
        let foreign = Refs::new(8).reference(&TaskId::new(1).moref());
        assert_eq!(refs.resolve(&foreign, &nothing), None);
        assert_eq!(refs.resolve("OpaqueRef:NULL", &nothing), None);
    }
}
