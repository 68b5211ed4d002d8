//! `ContainerView`: what a container contains, directly or all the way down.
//!
//! A view is computed once and then follows the commits: of each container that
//! a commit touched, what came and what went. So a view costs what changes in
//! it, however much it shows. Views of the same things are one, whoever made
//! them: a hundred clients that list all machines share one list. What views
//! know is a memory of what can be computed again, and bounded: those that were
//! not read for the longest time forget theirs first.
//!
//! ```text
//!   compute ──► Tree at version n ──commits n+1 … m──► Tree at version m
//!                      ▲                                      │
//!                      └── the log does not reach back, ◄─────┘
//!                          or too much has changed
//! ```

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};

use super::super::containment::ways;
use super::super::session::SessionObject;
use crate::inventory::{Mark, Read, Snapshot};
use crate::schema::{StaticPath, Type, ty};
use crate::value::{Array, MoRef, Object, Value};
use crate::{object, path};

type Hasher = foldhash::fast::FixedState;

/// A view of what one container contains.
pub(super) struct ContainerView(Arc<View>);

/// What is viewed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scope {
    container: MoRef,
    /// Of these types; of all if there are none.
    types: Vec<Type>,
    recursive: bool,
}

/// How many objects all views together remember.
const REMEMBERED: usize = 10_000_000;

/// One view, for everybody who has one of this scope.
struct View {
    scope: Scope,
    tree: Mutex<Option<Tree>>,
    /// How many objects the tree has.
    size: AtomicUsize,
    /// When it was read last, counted in readings.
    read: AtomicU64,
    all: Arc<All>,
}

/// The views that there are.
#[derive(Clone, Debug, Default)]
pub(in crate::vsphere) struct ContainerViews(Arc<All>);

#[derive(Debug)]
struct All {
    views: Mutex<HashMap<Scope, Weak<View>>>,
    readings: AtomicU64,
    /// How many objects the trees have together.
    held: AtomicUsize,
    limit: usize,
}

impl Default for All {
    fn default() -> Self {
        let (views, readings, held) = Default::default();
        Self { views, readings, held, limit: REMEMBERED }
    }
}

impl ContainerViews {
    fn view(&self, scope: Scope) -> Arc<View> {
        let mut views = self.0.views.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = views.get(&scope).and_then(Weak::upgrade) {
            return view;
        }
        views.retain(|_, view| view.strong_count() > 0);
        let view = Arc::new(View::new(scope.clone(), self.0.clone()));
        views.insert(scope, Arc::downgrade(&view));
        view
    }
}

impl All {
    /// A tree has `now` objects instead of `before`. If that is too much, others
    /// than that of `reader` are forgotten, those that were not read for the
    /// longest time first, except where somebody reads.
    fn resize(&self, reader: &View, before: usize, now: usize) {
        self.held.fetch_add(now, Ordering::Relaxed);
        if self.held.fetch_sub(before, Ordering::Relaxed) - before <= self.limit {
            return;
        }
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others: Vec<Arc<View>> = views.values().filter_map(Weak::upgrade).collect();
        drop(views);
        others.retain(|view| !std::ptr::eq(&raw const **view, reader));
        others.sort_by_key(|view| view.read.load(Ordering::Relaxed));
        for view in others {
            if self.held.load(Ordering::Relaxed) <= self.limit {
                break;
            }
            let tree = match view.tree.try_lock() {
                Ok(mut tree) => tree.take(),
                Err(TryLockError::Poisoned(tree)) => tree.into_inner().take(),
                Err(TryLockError::WouldBlock) => None,
            };
            if tree.is_some() {
                self.held.fetch_sub(view.size.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.all.held.fetch_sub(*self.size.get_mut(), Ordering::Relaxed);
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What a view shows at a version, and how that comes.
#[derive(Debug)]
struct Tree {
    version: u64,
    /// Keeps the commits after that.
    mark: Mark,
    /// How often each object is reached.
    reached: HashMap<MoRef, u32, Hasher>,
    /// What each object that is looked into leads to, in the order of the ways.
    containers: HashMap<MoRef, Vec<Option<Value>>, Hasher>,
    /// The same objects in the order in which they were found.
    order: Vec<MoRef>,
    members: Array,
    properties: Object,
    /// How many objects were looked at, all in all.
    looked_at: usize,
}

/// A way to an object that is there now, or not any more.
enum Step {
    Come(MoRef),
    Go(MoRef),
}

/// What cannot be followed, so that the view is computed again.
struct Lost;

impl ContainerView {
    /// A view of the objects of `types` in `container`; of all types if there are none.
    pub(super) fn new(
        views: &ContainerViews,
        container: MoRef,
        types: Vec<Type>,
        recursive: bool,
    ) -> Self {
        Self(views.view(Scope { container, types, recursive }))
    }
}

impl View {
    fn new(scope: Scope, all: Arc<All>) -> Self {
        let (tree, size, read) = Default::default();
        Self { scope, tree, size, read, all }
    }

    /// What `read` makes of the tree at the version of `snapshot`, or at a later
    /// one if somebody has asked for that already.
    fn tree<T>(&self, snapshot: &Snapshot, read: impl FnOnce(&Tree) -> T) -> T {
        let mut held = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let followed = held.take().and_then(|tree| tree.follow(&self.scope, snapshot).ok());
        let tree = followed.unwrap_or_else(|| Tree::compute(&self.scope, snapshot));
        let now = tree.reached.len();
        let before = self.size.swap(now, Ordering::Relaxed);
        self.read.store(self.all.readings.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        if before != now {
            self.all.resize(self, before, now);
        }
        read(held.insert(tree))
    }
}

impl Scope {
    /// The properties that lead from an object to what it contains. A host is
    /// a container only when the view is of that host.
    fn ways(&self, mo: &MoRef) -> &'static [&'static StaticPath] {
        if *mo == self.container {
            if mo.ty().is_a(ty::HostSystem) {
                return &[path!(HostSystem, "vm")];
            }
        } else if !self.recursive {
            return &[];
        }
        ways(mo)
    }

    fn shows(&self, mo: &MoRef) -> bool {
        self.types.is_empty() || self.types.iter().any(|ty| mo.ty().is_a(*ty))
    }

    fn leads_to(&self, snapshot: &Snapshot, mo: &MoRef) -> Vec<Option<Value>> {
        self.ways(mo).iter().map(|way| snapshot.at(mo, way).cloned()).collect()
    }

    fn properties(&self, members: &Array) -> Object {
        object!(ContainerView {
            container: &self.container,
            type: self.types.iter().map(|ty| ty.name()).collect::<Vec<_>>(),
            recursive: self.recursive,
            view: members.clone(),
        })
    }
}

/// The references in what a way leads to: one, or a list of them.
fn references(value: &Value) -> impl Iterator<Item = &MoRef> {
    value.as_moref().into_iter().chain(value.morefs())
}

impl Tree {
    fn compute(scope: &Scope, snapshot: &Snapshot) -> Self {
        let empty = Array::empty(ty::ManagedObject);
        let mut tree = Self {
            version: snapshot.version(),
            mark: snapshot.mark(),
            reached: HashMap::default(),
            containers: HashMap::default(),
            order: Vec::new(),
            properties: scope.properties(&empty),
            members: empty,
            looked_at: 0,
        };
        let mut members = Vec::new();
        let mut steps = Vec::new();
        tree.open(scope, snapshot, &scope.container, &mut steps);
        while let Some(step) = steps.pop() {
            if let Step::Come(mo) = step
                && tree.come(scope, snapshot, &mo, &mut steps)
            {
                members.push(Value::Ref(mo));
            }
        }
        tree.members = Array::new(ty::ManagedObject, members);
        tree.properties = scope.properties(&tree.members);
        tree
    }

    /// The tree at the version of `snapshot`, if the way there is known and not
    /// longer than computing it.
    fn follow(mut self, scope: &Scope, snapshot: &Snapshot) -> Result<Self, Lost> {
        if self.version >= snapshot.version() {
            return Ok(self);
        }
        let mut steps = Vec::new();
        let commits = snapshot.since(self.version).ok_or(Lost)?;
        for change in commits.iter().flat_map(|commit| commit.changes.iter()) {
            // One that was touched several times is the same the second time.
            if let Some(before) = self.containers.get_mut(&change.object) {
                let now = scope.leads_to(snapshot, &change.object);
                for (before, now) in before.iter().zip(&now) {
                    compare(before.as_ref(), now.as_ref(), &mut steps);
                }
                *before = now;
            }
        }
        if steps.len() > 64.max(self.members.len() / 8) {
            return Err(Lost);
        }
        // Taken from the end: what comes before what goes, and each in its order.
        steps.reverse();
        steps.sort_by_key(|step| matches!(step, Step::Come(_)));
        let before = self.members.clone();
        while let Some(step) = steps.pop() {
            match step {
                Step::Come(mo) => {
                    if self.come(scope, snapshot, &mo, &mut steps) {
                        self.members = self.members.with_pushed(mo.into());
                    }
                }
                Step::Go(mo) => self.go(scope, &mo, &mut steps)?,
            }
        }
        if !self.members.same(&before) {
            self.properties = scope.properties(&self.members);
        }
        self.version = snapshot.version();
        self.mark.move_to(self.version);
        Ok(self)
    }

    /// One way more leads to `mo`; whether it is a member now and was not.
    fn come(
        &mut self,
        scope: &Scope,
        snapshot: &Snapshot,
        mo: &MoRef,
        steps: &mut Vec<Step>,
    ) -> bool {
        self.looked_at += 1;
        if *mo == scope.container {
            return false;
        }
        match self.reached.entry(mo.clone()) {
            Entry::Occupied(mut known) => {
                *known.get_mut() += 1;
                return false;
            }
            Entry::Vacant(new) => new.insert(1),
        };
        self.open(scope, snapshot, mo, steps);
        scope.shows(mo)
    }

    /// Looks into an object, if there is anything to look into.
    fn open(&mut self, scope: &Scope, snapshot: &Snapshot, mo: &MoRef, steps: &mut Vec<Step>) {
        if scope.ways(mo).is_empty() {
            return;
        }
        let leads_to = scope.leads_to(snapshot, mo);
        let start = steps.len();
        let found = leads_to.iter().flatten().flat_map(references);
        steps.extend(found.map(|mo| Step::Come(mo.clone())));
        // Taken from the end, and the first is to be first.
        if let Some(added) = steps.get_mut(start..) {
            added.reverse();
        }
        if self.containers.insert(mo.clone(), leads_to).is_none() {
            self.order.push(mo.clone());
        }
    }

    /// One way less leads to `mo`.
    fn go(&mut self, scope: &Scope, mo: &MoRef, steps: &mut Vec<Step>) -> Result<(), Lost> {
        self.looked_at += 1;
        let Some(count) = self.reached.get_mut(mo) else { return Ok(()) };
        *count -= 1;
        if *count > 0 {
            // What leads on may be reached through itself only.
            return if self.containers.contains_key(mo) { Err(Lost) } else { Ok(()) };
        }
        self.reached.remove(mo);
        if scope.shows(mo) {
            self.members = self.members.without_ref(mo);
        }
        if let Some(leads_to) = self.containers.remove(mo) {
            self.order.retain(|other| other != mo);
            let gone = leads_to.iter().flatten().flat_map(references);
            steps.extend(gone.map(|mo| Step::Go(mo.clone())));
        }
        Ok(())
    }
}

/// The steps from what a way led to before to what it leads to now.
fn compare(before: Option<&Value>, now: Option<&Value>, steps: &mut Vec<Step>) {
    if before.zip(now).is_some_and(|(before, now)| before.same(now)) {
        return;
    }
    let lists = before.and_then(Value::as_array).zip(now.and_then(Value::as_array));
    let (before, now): (Vec<&MoRef>, Vec<&MoRef>) = match lists {
        Some((before, now)) => {
            let (before, now, _) = before.differing(now);
            let before = before.into_iter().filter_map(Value::as_moref).collect();
            (before, now.into_iter().filter_map(Value::as_moref).collect())
        }
        None => (
            before.into_iter().flat_map(references).collect(),
            now.into_iter().flat_map(references).collect(),
        ),
    };
    let mut balance: HashMap<&MoRef, i64, Hasher> = HashMap::default();
    before.iter().for_each(|mo| *balance.entry(mo).or_default() -= 1);
    now.iter().for_each(|mo| *balance.entry(mo).or_default() += 1);
    for mo in before.iter().chain(&now) {
        match balance.remove(mo) {
            Some(1..) => steps.push(Step::Come((*mo).clone())),
            Some(..0) => steps.push(Step::Go((*mo).clone())),
            Some(0) | None => {}
        }
    }
}

impl SessionObject for ContainerView {
    fn properties(&self, snapshot: &Snapshot) -> Object {
        self.0.tree(snapshot, |tree| tree.properties.clone())
    }

    fn depends(&self, snapshot: &Snapshot, add: &mut dyn FnMut(&MoRef)) {
        self.0.tree(snapshot, |tree| tree.order.iter().for_each(add));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::inventory::{Store, Transaction};

    fn folder(number: usize) -> MoRef {
        MoRef::new(ty::Folder, &format!("group-v{number}"))
    }

    fn vm(number: usize) -> MoRef {
        MoRef::new(ty::VirtualMachine, &format!("vm-{number}"))
    }

    const CHILDREN: &StaticPath = path!(Folder, "childEntity");

    /// A folder with `machines`, an empty one and one more inside it.
    fn store(machines: usize) -> Store {
        let store = Store::new();
        change(&store, |tx| {
            tx.insert(folder(2), object!(Folder { childEntity: Vec::<Value>::new() }));
            tx.insert(folder(1), object!(Folder { childEntity: vec![folder(2)] }));
            let all: Vec<MoRef> = (0..machines).map(vm).chain([folder(1)]).collect();
            tx.insert(folder(0), object!(Folder { childEntity: all }));
        });
        store
    }

    fn change(store: &Store, change: impl FnOnce(&mut Transaction)) {
        let done = store.commit(|tx| {
            change(tx);
            Ok::<_, ()>(())
        });
        assert!(done.is_ok());
    }

    fn view(recursive: bool) -> View {
        let scope = Scope { container: folder(0), types: Vec::new(), recursive };
        View::new(scope, Arc::default())
    }

    /// The members, and how many objects were looked at for this.
    fn look(view: &View, store: &Store, before: &mut usize) -> (HashSet<MoRef>, usize) {
        view.tree(&store.snapshot(), |tree| {
            // One that was computed again has counted from the start.
            let looked_at = tree.looked_at.checked_sub(*before).unwrap_or(tree.looked_at);
            *before = tree.looked_at;
            let members: HashSet<MoRef> =
                tree.members.iter().flat_map(references).cloned().collect();
            assert_eq!(members.len(), tree.members.len(), "each once");
            assert_eq!(tree.properties.field("view"), Some(&Value::from(tree.members.clone())));
            (members, looked_at)
        })
    }

    /// Views beyond what is remembered are computed again when they are read.
    #[test]
    fn what_views_remember_is_bounded() {
        let store = store(100);
        let all = Arc::new(All { limit: 250, ..All::default() });
        let views = ContainerViews(all.clone());
        let of =
            |types: Vec<Type>| views.view(Scope { container: folder(0), types, recursive: true });
        let made = [of(Vec::new()), of(vec![ty::VirtualMachine]), of(vec![ty::Folder])];
        let members = |view: &View| view.tree(&store.snapshot(), |tree| tree.members.len());
        let is_remembered = |view: &View| view.tree.lock().unwrap().is_some();
        for _ in 0..2 {
            assert_eq!([0, 1, 2].map(|number: usize| members(&made[number])), [102, 100, 2]);
            assert_eq!(
                [0, 1, 2].map(|number: usize| is_remembered(&made[number])),
                [false, true, true]
            );
            assert_eq!(all.held.load(Ordering::Relaxed), 204);
        }
        drop(made);
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_view_costs_what_changes_in_it() {
        let (store, view, mut at) = (store(5000), view(true), 0);
        let (mut members, looked_at) = look(&view, &store, &mut at);
        assert_eq!((members.len(), looked_at), (5002, 5002));
        change(&store, |tx| tx.push_ref(&folder(0), CHILDREN, &vm(5000)).unwrap());
        change(&store, |tx| tx.remove_ref(&folder(0), CHILDREN, &vm(70)).unwrap());
        members.insert(vm(5000));
        members.remove(&vm(70));
        assert_eq!(look(&view, &store, &mut at), (members.clone(), 2));
        // Another change of the containers is none of the view.
        change(&store, |tx| tx.set(&folder(1), path!(Folder, "name"), "new").unwrap());
        assert_eq!(look(&view, &store, &mut at), (members.clone(), 0));
        // A folder goes with what is in it, and comes with it.
        change(&store, |tx| tx.push_ref(&folder(2), CHILDREN, &vm(6000)).unwrap());
        change(&store, |tx| tx.remove_ref(&folder(0), CHILDREN, &folder(1)).unwrap());
        [folder(1), folder(2)].iter().for_each(|gone| assert!(members.remove(gone)));
        assert_eq!(look(&view, &store, &mut at), (members.clone(), 4));
        change(&store, |tx| tx.push_ref(&folder(0), CHILDREN, &folder(1)).unwrap());
        members.extend([folder(1), folder(2), vm(6000)]);
        assert_eq!(look(&view, &store, &mut at), (members, 3));
    }

    #[test]
    fn a_view_that_followed_shows_what_a_new_one_shows() {
        for recursive in [false, true] {
            let (store, followed, mut at) = (store(50), view(recursive), 0);
            for step in 0..300_usize {
                let (from, to) = (folder(step * 7 % 3), folder(step * 5 % 3));
                change(&store, |tx| {
                    tx.remove_ref(&from, CHILDREN, &vm(step % 60)).unwrap();
                    tx.push_ref(&to, CHILDREN, &vm(step * 3 % 60)).unwrap();
                    if step % 10 == 0 {
                        let at = if step % 20 == 0 { folder(0) } else { folder(1) };
                        [0, 1].iter().for_each(|other| {
                            tx.remove_ref(&folder(*other), CHILDREN, &folder(2)).unwrap();
                        });
                        tx.push_ref(&at, CHILDREN, &folder(2)).unwrap();
                    }
                });
                if step % 3 == 0 {
                    let (members, _) = look(&followed, &store, &mut at);
                    assert_eq!(members, look(&view(recursive), &store, &mut 0).0, "{step}");
                }
            }
        }
    }

    #[test]
    fn views_of_the_same_things_are_one() {
        let views = ContainerViews::default();
        let scope = |recursive| Scope { container: folder(0), types: Vec::new(), recursive };
        let (one, two) = (views.view(scope(true)), views.view(scope(true)));
        assert!(Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &views.view(scope(false))));
        drop((one, two));
        assert_eq!(views.view(scope(true)).scope, scope(true));
        assert_eq!(views.0.views.lock().unwrap().len(), 1, "what nobody has is forgotten");
    }
}
