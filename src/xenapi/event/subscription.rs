//! What a client wants to hear of: `*`, `vm`, `vm/OpaqueRef:…`.

use super::ledger::Ledger;
use crate::value::{MoRef, Str};
use crate::xenapi::view::View;
use crate::xenapi::{class_of, classes};

/// All of what a call is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    pub(super) wanted: Vec<Wanted>,
}

/// One thing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    All,
    /// All objects of the class.
    Class(&'static str),
    /// One object.
    Object(MoRef),
}

impl Subscription {
    /// What the texts say. What names no class or no object is about nothing.
    pub(super) fn parse(view: &View<'_>, ledger: &Ledger, texts: &[Str]) -> Self {
        let mut wanted = Vec::new();
        for text in texts {
            let (class, reference) = match text.split_once('/') {
                Some((class, reference)) => (class, Some(reference)),
                None => (text.as_str(), None),
            };
            if class == "*" {
                wanted.push(Wanted::All);
                continue;
            }
            let mut all = classes().iter();
            let Some(class) = all.find(|known| known.name.eq_ignore_ascii_case(class)) else {
                continue;
            };
            let Some(reference) = reference else {
                wanted.push(Wanted::Class(class.name));
                continue;
            };
            let named = view.server().refs().resolve(reference, view.state());
            let named = named.or_else(|| ledger.find_gone(reference).cloned());
            wanted.extend(named.filter(|mo| class_of(mo.ty()) == class.name).map(Wanted::Object));
        }
        Self { wanted }
    }

    /// Whether an object is part of it.
    pub(super) fn holds(&self, mo: &MoRef) -> bool {
        self.wanted.iter().any(|wanted| match wanted {
            Wanted::All => true,
            Wanted::Class(class) => class_of(mo.ty()) == *class,
            Wanted::Object(object) => object == mo,
        })
    }

    /// Whether it is about tasks and nothing else.
    pub(super) fn is_of_tasks(&self) -> bool {
        self.wanted.iter().all(|wanted| match wanted {
            Wanted::All => false,
            Wanted::Class(class) => *class == "task",
            Wanted::Object(mo) => class_of(mo.ty()) == "task",
        })
    }
}
