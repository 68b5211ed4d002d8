//! The tree of a machine's snapshots, as `VirtualMachine.snapshot` shows it.

use crate::inventory::Read;
use crate::object;
use crate::path;
use crate::schema::ty;
use crate::value::{Array, MoRef, Object, Value};

const CHILDREN: usize = ty::VirtualMachineSnapshotTree.slot("childSnapshotList");

/// The snapshots of a machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    /// The snapshots without a parent: `VirtualMachineSnapshotTree` objects.
    pub(super) roots: Vec<Object>,
    /// The snapshot that the machine continues.
    pub(super) current: Option<MoRef>,
}

impl Tree {
    /// The snapshots that a machine has.
    pub(super) fn read(state: &(impl Read + ?Sized), vm: &MoRef) -> Self {
        let roots = state.at(vm, path!(VirtualMachine, "snapshot.rootSnapshotList"));
        let roots = roots.map_or(&[][..], Value::items).iter().filter_map(Value::as_object);
        Self {
            roots: roots.cloned().collect(),
            current: state.moref(vm, path!(VirtualMachine, "snapshot.currentSnapshot")).cloned(),
        }
    }

    /// All nodes, each before those below it.
    pub(super) fn nodes(&self) -> Vec<Object> {
        let mut nodes = Vec::new();
        let mut open: Vec<Object> = self.roots.iter().rev().cloned().collect();
        while let Some(node) = open.pop() {
            open.extend(children(&node).into_iter().rev());
            nodes.push(node);
        }
        nodes
    }

    /// The node of a snapshot.
    pub(super) fn find(&self, snapshot: &MoRef) -> Option<Object> {
        self.nodes().into_iter().find(|node| snapshot_of(node) == Some(snapshot))
    }

    /// How many snapshots lead to this one, itself included.
    pub(super) fn depth(&self, snapshot: &MoRef) -> usize {
        std::iter::successors(Some(snapshot.clone()), |it| self.parent(it)).count()
    }

    /// The snapshot above another.
    pub(super) fn parent(&self, snapshot: &MoRef) -> Option<MoRef> {
        let is_above =
            |node: &Object| children(node).iter().any(|it| snapshot_of(it) == Some(snapshot));
        let above = self.nodes().into_iter().find(is_above)?;
        snapshot_of(&above).cloned()
    }

    /// A number that no snapshot has.
    pub(super) fn next_id(&self) -> i32 {
        let id = |node: &Object| node.at(path!(VirtualMachineSnapshotTree, "id"))?.as_i32();
        self.nodes().iter().filter_map(id).max().unwrap_or_default().saturating_add(1)
    }

    /// Adds a snapshot below the current one, and makes it that.
    pub(super) fn add(&mut self, node: Object) {
        let snapshot = snapshot_of(&node).cloned();
        match self.current.clone().filter(|current| self.find(current).is_some()) {
            Some(current) => self.edit(&current, |held| {
                let mut below = children(held);
                below.push(node.clone());
                vec![with_children(held, below)]
            }),
            None => self.roots.push(node),
        }
        self.current = snapshot;
    }

    /// Takes a snapshot out; those below it go too, or up to its parent. What
    /// the machine continues is then the nearest one that is left above.
    pub(super) fn remove(&mut self, snapshot: &MoRef, with_all_below: bool) -> Vec<MoRef> {
        let Some(node) = self.find(snapshot) else { return Vec::new() };
        let gone = match with_all_below {
            true => Self { roots: vec![node], current: None }.nodes(),
            false => vec![node],
        };
        let gone: Vec<MoRef> = gone.iter().filter_map(snapshot_of).cloned().collect();
        if self.current.as_ref().is_some_and(|current| gone.contains(current)) {
            self.current = self.parent(snapshot);
        }
        self.edit(snapshot, |held| if with_all_below { Vec::new() } else { children(held) });
        gone
    }

    /// Puts others in the place of one node.
    pub(super) fn edit(&mut self, snapshot: &MoRef, change: impl Fn(&Object) -> Vec<Object>) {
        self.roots = edited(&self.roots, snapshot, &change);
    }

    /// The tree as a property; nothing without snapshots.
    pub(super) fn shown(&self) -> Option<Object> {
        (!self.roots.is_empty()).then(|| {
            object!(VirtualMachineSnapshotInfo {
                currentSnapshot: self.current.as_ref(),
                rootSnapshotList: &self.roots[..],
            })
        })
    }
}

/// The snapshot that a node is about.
pub(super) fn snapshot_of(node: &Object) -> Option<&MoRef> {
    node.at(path!(VirtualMachineSnapshotTree, "snapshot")).and_then(Value::as_moref)
}

/// The nodes right below one.
pub(super) fn children(node: &Object) -> Vec<Object> {
    let list = node.get(CHILDREN).map_or(&[][..], Value::items);
    list.iter().filter_map(Value::as_object).cloned().collect()
}

fn with_children(node: &Object, below: Vec<Object>) -> Object {
    let below = (!below.is_empty()).then(|| {
        let items = below.into_iter().map(Value::Object).collect();
        Value::Array(Array::new(ty::VirtualMachineSnapshotTree, items))
    });
    node.with(CHILDREN, below)
}

fn edited(list: &[Object], at: &MoRef, change: &dyn Fn(&Object) -> Vec<Object>) -> Vec<Object> {
    let mut next = Vec::with_capacity(list.len());
    for node in list {
        if snapshot_of(node) == Some(at) {
            next.extend(change(node));
        } else {
            next.push(with_children(node, edited(&children(node), at, change)));
        }
    }
    next
}
