//! Which operations a rule is about.

use globset::GlobSet;

use super::error::RuleError;
use super::pattern::Patterns;
use super::rule::{Entity, When};
use crate::inventory::Read;
use crate::path;
use crate::schema::{Kind, Method, Type, ty};
use crate::task::{Operation, TaskRecord};
use crate::value::{MoRef, Str};

/// What is known of an operation when a rule is looked for.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The method, if one of the schema is called.
    pub method: Option<Method>,
    /// The description id of the task.
    pub description_id: &'a str,
    /// What it is about.
    pub entity: Option<&'a MoRef>,
    /// Who asks for it.
    pub user: Option<&'a str>,
    /// The inventory.
    pub state: &'a dyn Read,
}

impl std::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("method", &self.method)
            .field("entity", &self.entity)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl<'a> Facts<'a> {
    /// What is known of a task.
    pub(super) fn of(task: &'a TaskRecord, state: &'a dyn Read) -> Self {
        Self {
            method: match &task.operation {
                Operation::Method(method) => Some(*method),
                Operation::Extension(_) | Operation::Internal(_) => None,
            },
            description_id: &task.description_id,
            entity: task.entity.as_ref(),
            user: task.user().map(Str::as_str),
            state,
        }
    }
}

/// The conditions of a rule that are the same each time, ready to be looked at.
#[derive(Debug)]
pub(super) struct Condition {
    /// By the number of the method.
    methods: Option<Box<[bool]>>,
    description_id: Option<GlobSet>,
    types: Vec<Type>,
    name: Option<GlobSet>,
    path: Option<GlobSet>,
    moref: Option<GlobSet>,
    user: Option<GlobSet>,
}

impl Condition {
    pub(super) fn new(when: &When) -> Result<Self, RuleError> {
        let patterns = |patterns: &Patterns, name: &str, paths| {
            patterns.compile(paths).map_err(|error| error.within(name))
        };
        let Entity { ty, name, path, moref } = &when.entity;
        let entity = |error: RuleError| error.within("entity");
        Ok(Self {
            methods: methods(&when.method).map_err(|error| error.within("method"))?,
            description_id: patterns(&when.description_id, "descriptionId", false)?,
            types: types(ty).map_err(|error| entity(error.within("type")))?,
            name: patterns(name, "name", false).map_err(entity)?,
            path: patterns(path, "path", true).map_err(entity)?,
            moref: patterns(moref, "moref", false).map_err(entity)?,
            user: patterns(&when.user, "user", false)?,
        })
    }

    /// Whether the rule is about such an operation; the cheap questions first.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        let text = |set: &Option<GlobSet>, text: Option<&str>| match set {
            Some(set) => text.is_some_and(|text| set.is_match(text)),
            None => true,
        };
        let method = match (&self.methods, facts.method) {
            (Some(known), Some(method)) => known.get(method.index()).copied().unwrap_or_default(),
            (Some(_), None) => false,
            (None, _) => true,
        };
        method
            && text(&self.description_id, Some(facts.description_id))
            && text(&self.user, facts.user)
            && text(&self.moref, facts.entity.map(MoRef::id))
            && (self.types.is_empty()
                || facts.entity.is_some_and(|mo| self.types.iter().any(|ty| mo.ty().is_a(*ty))))
            && self.name.as_ref().is_none_or(|set| {
                facts.entity.is_some_and(|mo| set.is_match(name(facts.state, mo)))
            })
            && self.path.as_ref().is_none_or(|set| {
                facts
                    .entity
                    .and_then(|mo| inventory_path(facts.state, mo))
                    .is_some_and(|path| set.is_match(path))
            })
    }

    /// Whether the rule may be about calls of a method.
    pub(super) fn allows(&self, method: Method) -> bool {
        let known = self.methods.as_ref();
        known.is_none_or(|known| known.get(method.index()).copied().unwrap_or_default())
    }
}

fn methods(patterns: &Patterns) -> Result<Option<Box<[bool]>>, RuleError> {
    let Some(_) = patterns.compile(false)? else { return Ok(None) };
    let mut all = vec![false; Method::count()].into_boxed_slice();
    for (index, pattern) in patterns.0.iter().enumerate() {
        let Some(glob) = Patterns::from(pattern.as_str()).compile(false)? else { continue };
        let mut any = false;
        for method in Method::all().filter(|method| glob.is_match(method.name())) {
            any = true;
            if let Some(known) = all.get_mut(method.index()) {
                *known = true;
            }
        }
        if !any {
            let place = if patterns.0.len() > 1 { format!("[{index}]") } else { String::new() };
            let message = format!("no method of the schema is called {pattern:?}");
            return Err(RuleError::new(place, message));
        }
    }
    Ok(Some(all))
}

fn types(patterns: &Patterns) -> Result<Vec<Type>, RuleError> {
    let mut types = Vec::new();
    for pattern in &patterns.0 {
        let Some(glob) = Patterns::from(pattern.as_str()).compile(false)? else { continue };
        let managed = Type::all().filter(|ty| ty.kind() == Kind::Managed);
        let before = types.len();
        types.extend(managed.filter(|ty| glob.is_match(ty.name())));
        if types.len() == before {
            let message = format!("no managed object type is called {pattern:?}");
            return Err(RuleError::new("", message));
        }
    }
    Ok(types)
}

fn name<'s>(state: &'s dyn Read, mo: &MoRef) -> &'s str {
    if mo.ty().is_a(ty::ManagedEntity) { state.text(mo, path!(ManagedEntity, "name")) } else { "" }
}

/// Where an entity stands: `/DC0/vm/DC0_H0_VM0`; the root folder is `/`.
fn inventory_path(state: &dyn Read, mo: &MoRef) -> Option<String> {
    if !mo.ty().is_a(ty::ManagedEntity) {
        return None;
    }
    let mut names = Vec::new();
    let mut at = Some(mo.clone());
    while let Some(mo) = at {
        names.push(name(state, &mo).to_owned());
        let parent = state.moref(&mo, path!(ManagedEntity, "parent")).cloned();
        at = match parent {
            None if mo.ty().is_a(ty::VirtualMachine) => {
                state.moref(&mo, path!(VirtualMachine, "parentVApp")).cloned()
            }
            parent => parent,
        };
    }
    // The root folder's own name is not part of paths.
    names.pop();
    names.reverse();
    Some(format!("/{}", names.join("/")))
}
