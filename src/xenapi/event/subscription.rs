//! What a client wants to hear of: `*`, `vm`, `vm/OpaqueRef:…`.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ledger::Ledger;
use crate::value::{MoRef, Str};
use crate::xenapi::view::View;
use crate::xenapi::{class_named_any, class_of};

type Hasher = foldhash::fast::FixedState;

/// All of what a call is about.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    /// Everything.
    pub(super) all: bool,
    /// All objects of these classes.
    pub(super) classes: BTreeSet<&'static str>,
    /// These objects.
    pub(super) objects: HashSet<MoRef, Hasher>,
}

impl Subscription {
    /// What the texts say. What names no class or no object is about nothing.
    pub(super) fn parse(view: &View<'_>, ledger: &Ledger, texts: &[Str]) -> Self {
        let mut subscription = Self::default();
        // References that may be to what is gone.
        let mut unknown: HashMap<&str, &'static str, Hasher> = HashMap::default();
        for text in texts {
            let (class, reference) = match text.split_once('/') {
                Some((class, reference)) => (class, Some(reference)),
                None => (text.as_str(), None),
            };
            if class == "*" {
                subscription.all = true;
                continue;
            }
            let Some(class) = class_named_any(class) else { continue };
            let Some(reference) = reference else {
                subscription.classes.insert(class.name);
                continue;
            };
            match view.server().refs().resolve(reference, view.state()) {
                Some(mo) => subscription.add(class.name, mo),
                None => {
                    unknown.insert(reference, class.name);
                }
            }
        }
        if !unknown.is_empty() {
            for (reference, mo) in ledger.gone() {
                if let Some(class) = unknown.get(reference.as_str()) {
                    subscription.add(class, mo.clone());
                }
            }
        }
        subscription
    }

    fn add(&mut self, class: &str, mo: MoRef) {
        if class_of(mo.ty()) == class {
            self.objects.insert(mo);
        }
    }

    /// Whether an object is part of it.
    pub(super) fn holds(&self, mo: &MoRef) -> bool {
        self.all || self.classes.contains(class_of(mo.ty())) || self.objects.contains(mo)
    }

    /// Whether it is about tasks and nothing else.
    pub(super) fn is_of_tasks(&self) -> bool {
        !self.all
            && self.classes.iter().all(|class| *class == "task")
            && self.objects.iter().all(|mo| class_of(mo.ty()) == "task")
    }

    /// Whether it is about nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.classes.is_empty() && self.objects.is_empty()
    }

    /// Both together.
    pub(super) fn extend(&mut self, other: Self) {
        self.all |= other.all;
        self.classes.extend(other.classes);
        self.objects.extend(other.objects);
    }

    /// Without what the other names.
    pub(super) fn remove(&mut self, other: &Self) {
        self.all &= !other.all;
        self.classes.retain(|class| !other.classes.contains(class));
        self.objects.retain(|mo| !other.objects.contains(mo));
    }
}
