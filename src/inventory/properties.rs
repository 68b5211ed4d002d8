//! The properties of one managed object: made, or cast from a mould.
//!
//! ```text
//!   Cast ──first change──► Made ──► Made ──► …
//!     └── read: a part, or the whole; the whole may be kept for a while
//! ```
//!
//! An object that nobody has changed since the inventory was built is a cast:
//! its reference, its name and a mould that it shares with its like. That is
//! what a hundred thousand machines cost. Both kinds read the same.

use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use super::mould::{Found, Mould, Seeds};
use crate::schema::{StaticPath, Step, Type};
use crate::value::access::descend;
use crate::value::{IntoSlot, MoRef, Object, Str, Value};

/// The properties of one managed object.
#[derive(Clone, Debug)]
pub enum Properties {
    /// An object of its own.
    Made(Object),
    /// One that differs from its like by its reference and its name.
    Cast(Arc<Cast>),
    /// One as it is shown to somebody, some properties other than they are
    /// kept; never one that is kept.
    Shown(Arc<Shown>),
}

/// Properties with others in the place of some.
#[derive(Debug)]
pub struct Shown {
    kept: Properties,
    others: SmallVec<[(usize, Option<Value>); 2]>,
    whole: OnceLock<Object>,
}

impl Shown {
    fn other(&self, slot: usize) -> Option<&Option<Value>> {
        self.others.iter().find_map(|(at, value)| (*at == slot).then_some(value))
    }

    fn whole(&self) -> Object {
        let mut object = self.kept.to_object().edit();
        for (slot, value) in &self.others {
            object.set(*slot, value.clone());
        }
        object.finish()
    }

    /// A part of it, which may be one of the others.
    fn value(&self, slots: &[u16], rest: &[Step]) -> Option<Value> {
        let (first, inner) = slots.split_first()?;
        match self.other(usize::from(*first)) {
            Some(other) => below(other.as_ref()?, inner, rest).cloned(),
            None => self.kept.part(slots, rest),
        }
    }
}

/// What is kept of an object that is cast from a mould.
#[derive(Debug)]
pub struct Cast {
    mould: Arc<Mould>,
    this: MoRef,
    /// Its name, a string.
    name: Value,
    /// All of it, once somebody needed that.
    whole: OnceLock<Object>,
}

impl Cast {
    /// The object `this` called `name`, from `mould`.
    pub fn new(mould: Arc<Mould>, this: MoRef, name: Str) -> Self {
        Self { mould, this, name: Value::String(name), whole: OnceLock::new() }
    }

    fn seeds(&self) -> Seeds<'_> {
        Seeds::new(&self.this, &self.name)
    }

    fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mould, &other.mould) && self.this == other.this && self.name == other.name
    }

    /// A part of it; `slots` lead there.
    fn value(&self, slots: &[u16], rest: &[Step]) -> Option<Value> {
        if let Some(whole) = self.whole.get() {
            let (first, slots) = slots.split_first()?;
            return below(whole.get(usize::from(*first))?, slots, rest).cloned();
        }
        match self.mould.find(slots.iter().map(|slot| usize::from(*slot))) {
            Found::Alike(value) => descend(value, rest).cloned(),
            Found::Name => descend(&self.name, rest).cloned(),
            Found::Differs(part, steps) => {
                let value = self.mould.cast_part(part, &self.seeds());
                let slots = slots.get(steps..).unwrap_or_default();
                if slots.is_empty() && rest.is_empty() {
                    return Some(value);
                }
                below(&value, slots, rest).cloned()
            }
            Found::Nothing => None,
        }
    }
}

fn below<'v>(mut value: &'v Value, slots: &[u16], rest: &[Step]) -> Option<&'v Value> {
    for slot in slots {
        value = value.as_object()?.get(usize::from(*slot))?;
    }
    descend(value, rest)
}

impl Properties {
    /// The type of the object.
    pub fn ty(&self) -> Type {
        match self {
            Self::Made(object) => object.ty(),
            Self::Cast(cast) => cast.mould.object().ty(),
            Self::Shown(shown) => shown.kept.ty(),
        }
    }

    /// The properties with another one at `slot`, to be shown. One that is made
    /// is made anew; of one that is cast, nothing is.
    #[must_use]
    pub fn with(self, slot: usize, value: impl IntoSlot) -> Self {
        let (kept, mut others) = match self {
            Self::Made(object) => return Self::Made(object.with(slot, value)),
            Self::Cast(_) => (self, SmallVec::new()),
            Self::Shown(shown) => {
                let others = shown.others.iter().filter(|(at, _)| *at != slot).cloned();
                (shown.kept.clone(), others.collect())
            }
        };
        let field = kept.ty().fields().get(slot).copied();
        others.push((slot, field.and_then(|field| value.into_slot(field))));
        Self::Shown(Arc::new(Shown { kept, others, whole: OnceLock::new() }))
    }

    /// All properties. Those of a cast are made and kept with it; see
    /// [`Properties::to_object`].
    pub fn object(&self) -> &Object {
        self.keep().0
    }

    /// All properties, and whether they were made for this call.
    pub(super) fn keep(&self) -> (&Object, bool) {
        let cast = match self {
            Self::Made(object) => return (object, false),
            Self::Shown(shown) => return (shown.whole.get_or_init(|| shown.whole()), false),
            Self::Cast(cast) => cast,
        };
        let mut made = false;
        let whole = cast.whole.get_or_init(|| {
            made = true;
            cast.mould.cast(&cast.seeds())
        });
        (whole, made)
    }

    /// The same properties, without what was made of them to be read.
    pub(super) fn unread(&self) -> Option<Self> {
        let Self::Cast(cast) = self else { return None };
        cast.whole.get()?;
        let Value::String(name) = &cast.name else { return None };
        let cast = Cast::new(Arc::clone(&cast.mould), cast.this.clone(), name.clone());
        Some(Self::Cast(Arc::new(cast)))
    }

    /// All properties; nothing is kept.
    pub fn to_object(&self) -> Object {
        match self {
            Self::Made(object) => object.clone(),
            Self::Cast(cast) => {
                cast.whole.get().cloned().unwrap_or_else(|| cast.mould.cast(&cast.seeds()))
            }
            Self::Shown(shown) => shown.whole(),
        }
    }

    /// The value of the property at `slot`; nothing is kept.
    pub fn get(&self, slot: usize) -> Option<Value> {
        self.part(&[u16::try_from(slot).ok()?], &[])
    }

    /// The value at a path; nothing is kept.
    pub fn value(&self, path: &StaticPath) -> Option<Value> {
        self.part(path.slots(), &[])
    }

    fn part(&self, slots: &[u16], rest: &[Step]) -> Option<Value> {
        match self {
            Self::Made(object) => {
                let (first, slots) = slots.split_first()?;
                below(object.get(usize::from(*first))?, slots, rest).cloned()
            }
            Self::Cast(cast) => cast.value(slots, rest),
            Self::Shown(shown) => shown.value(slots, rest),
        }
    }

    /// The value at a path that may have keys in it; nothing is kept.
    pub fn lookup(&self, steps: &[Step]) -> Option<Value> {
        if let Self::Made(object) = self {
            return object.lookup(steps).cloned();
        }
        let slots: SmallVec<[u16; 8]> = steps
            .iter()
            .map_while(|step| if let Step::Field(slot) = step { Some(*slot) } else { None })
            .collect();
        self.part(&slots, steps.get(slots.len()..)?)
    }

    /// The value at a path, if it can be lent without making it; `Err` if not.
    pub(super) fn lend(&self, path: &StaticPath) -> Result<Option<&Value>, ()> {
        let cast = match self {
            Self::Made(object) => return Ok(object.at(path)),
            Self::Shown(_) => return Ok(self.object().at(path)),
            Self::Cast(cast) => cast,
        };
        match cast.mould.find(path.slots().iter().map(|slot| usize::from(*slot))) {
            Found::Alike(value) => Ok(Some(value)),
            Found::Name => Ok(Some(&cast.name)),
            Found::Nothing => Ok(None),
            Found::Differs(..) => match cast.whole.get() {
                Some(whole) => Ok(whole.at(path)),
                None => Err(()),
            },
        }
    }

    /// Whether both are certainly the same.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Made(a), Self::Made(b)) => a.same(b),
            (Self::Cast(a), Self::Cast(b)) => Arc::ptr_eq(a, b) || a.is_like(b),
            (Self::Made(made), Self::Cast(cast)) | (Self::Cast(cast), Self::Made(made)) => {
                cast.whole.get().is_some_and(|whole| whole.same(made))
            }
            (Self::Shown(a), Self::Shown(b)) => {
                Arc::ptr_eq(a, b) || (a.kept.same(&b.kept) && a.others == b.others)
            }
            (Self::Shown(_), _) | (_, Self::Shown(_)) => false,
        }
    }

    /// Whether both certainly agree about the property at `slot`.
    pub fn same_at(&self, other: &Self, slot: usize) -> bool {
        match (self, other) {
            (Self::Made(a), Self::Made(b)) => alike(a.get(slot), b.get(slot)),
            (Self::Cast(_), Self::Cast(_)) => self.same(other),
            (Self::Made(made), Self::Cast(cast)) | (Self::Cast(cast), Self::Made(made)) => {
                let made = made.get(slot);
                match (cast.whole.get(), cast.mould.find([slot])) {
                    (Some(whole), _) => alike(whole.get(slot), made),
                    (None, Found::Alike(value)) => alike(Some(value), made),
                    (None, Found::Name) => alike(Some(&cast.name), made),
                    (None, Found::Nothing) => made.is_none(),
                    (None, Found::Differs(..)) => false,
                }
            }
            (Self::Shown(shown), kept) | (kept, Self::Shown(shown)) => match shown.other(slot) {
                Some(value) => alike(value.as_ref(), kept.get(slot).as_ref()),
                None => shown.kept.same_at(kept, slot),
            },
        }
    }
}

fn alike(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.same(other),
        (None, None) => true,
        _ => false,
    }
}

impl From<Object> for Properties {
    fn from(object: Object) -> Self {
        Self::Made(object)
    }
}

impl From<Cast> for Properties {
    fn from(cast: Cast) -> Self {
        Self::Cast(Arc::new(cast))
    }
}

#[cfg(test)]
mod tests {
    use super::super::mould::{Fill, NAME, mark};
    use super::*;
    use crate::object;
    use crate::schema::{Path, ty};

    struct Twice;

    impl Fill for Twice {
        fn text(&self, this: &MoRef, name: &str, mark: u8) -> Str {
            Str::from(format!("{name}{name}{mark}{}", this.id()))
        }
    }

    fn cast() -> (Object, Properties) {
        let it = MoRef::new(ty::VirtualMachine, "mould");
        let alike = object!(SharesInfo { shares: 1, level: "normal" });
        let whole = |this: &MoRef, name: &str, other: &str| {
            object!(VirtualMachine {
                name: name,
                parentVApp: None::<MoRef>,
                resourceConfig: object!(ResourceConfigSpec {
                    entity: this,
                    changeVersion: format!("a{other}b"),
                    cpuAllocation: object!(ResourceAllocationInfo { shares: &alike }),
                }),
                guest: object!(GuestInfo {
                    hostName: other,
                    net: vec![object!(GuestNicInfo {
                        macAddress: other,
                        deviceConfigId: 4000,
                        ipAddress: vec!["1".to_owned(), format!("{other}{name}")],
                    })],
                }),
            })
        };
        let template = whole(&it, &mark(NAME).to_string(), &mark(3).to_string());
        let mould = Mould::new(template, &it, Box::new(Twice));
        let vm = MoRef::new(ty::VirtualMachine, "vm-1");
        (whole(&vm, "x", "xx3vm-1"), Cast::new(mould, vm, Str::from("x")).into())
    }

    #[test]
    fn a_cast_reads_like_what_is_made() {
        for keep in [false, true] {
            let (made, cast) = cast();
            if keep {
                assert!(cast.keep().1 && !cast.keep().1);
            }
            assert_eq!(cast.to_object(), made);
            for slot in 0..made.slots().len() {
                assert_eq!(cast.get(slot).as_ref(), made.get(slot));
            }
            for path in [
                "name",
                "parentVApp",
                "resourceConfig",
                "resourceConfig.entity",
                "resourceConfig.changeVersion",
                "resourceConfig.cpuAllocation.shares.level",
                "resourceConfig.memoryAllocation.shares.level",
                "guest.hostName",
                "guest.net",
                "guest.screen.width",
                "config.name",
            ] {
                let steps = Path::parse(ty::VirtualMachine, path).unwrap();
                assert_eq!(
                    cast.lookup(steps.steps()).as_ref(),
                    made.lookup(steps.steps()),
                    "{path}"
                );
            }
            let path = crate::path!(VirtualMachine, "guest.hostName");
            assert_eq!(cast.value(path).as_ref(), made.at(path));
            assert_eq!(cast.lend(path).is_ok(), keep, "what differs has to be made");
            let name = crate::path!(VirtualMachine, "name");
            assert_eq!(cast.lend(name), Ok(made.at(name)));
        }
    }

    #[test]
    fn what_is_alike_is_known_to_be() {
        let (_, cast) = cast();
        let changed = Properties::Made(cast.object().with(ty::VirtualMachine.slot("name"), "y"));
        let slot = |name| ty::VirtualMachine.slot(name);
        assert!(changed.same_at(&cast, slot("guest")) && changed.same_at(&cast, slot("parent")));
        assert!(!changed.same_at(&cast, slot("name")) && !changed.same(&cast));
        let again = cast.unread().unwrap();
        assert!(again.unread().is_none() && again.same(&cast) && again.same_at(&cast, 0));
    }
}
