//! Calls that may read much: a few at a time, on threads of their own, so that
//! a client that reads everything does not delay one that cancels a task.
//!
//! What they answer takes memory until the clients have it. So there is a limit
//! on that as well: when it is reached, the next such call waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::call::{Call, arg};
use super::dispatch::Reply;
use crate::path;
use crate::schema::{method, ty};
use crate::value::{Array, Object, Value};

/// A call for more objects than this by name may be large.
const FEW: usize = 64;

/// Updates of this many objects are a usual page.
const PAGE: usize = 100;

/// The turns of large calls: first come, first served.
#[derive(Debug)]
pub struct LargeCalls {
    turns: Arc<Semaphore>,
    /// Bytes of large replies that are on their way.
    held: Arc<watch::Sender<usize>>,
    limit: usize,
}

/// A large reply that its client has not taken yet; taken when dropped.
#[derive(Debug)]
pub struct Held {
    bytes: usize,
    all: Arc<watch::Sender<usize>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.send_modify(|all| *all -= self.bytes);
    }
}

impl LargeCalls {
    /// As many at a time as there are processors: more would only hold memory.
    /// None begins while replies hold `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = Arc::new(Semaphore::new(processors));
        Self { turns, held: Arc::new(watch::Sender::new(0)), limit }
    }

    /// Waits until one more large call may be worked on; its turn ends when
    /// what is returned is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok();
        // The sender is here, so this ends by room only.
        let _ = self.held.subscribe().wait_for(|held| *held < self.limit).await;
        turn
    }

    /// Counts a large reply of so many bytes until it is taken.
    pub fn hold(&self, bytes: usize) -> Held {
        self.held.send_modify(|all| *all += bytes);
        Held { bytes, all: Arc::clone(&self.held) }
    }

    /// How many bytes of large replies are on their way.
    pub fn held(&self) -> usize {
        *self.held.borrow()
    }
}

/// Whether a call may be large, as far as its arguments tell: one that walks
/// through the inventory, reads a view, names many objects, or goes on with
/// what was too much for one reply.
pub fn may_be_large(call: &Call) -> bool {
    let specs = if call.method == method::RetrievePropertiesEx {
        call.get(arg!(RetrievePropertiesEx.specSet))
    } else if call.method == method::RetrieveProperties {
        call.get(arg!(RetrieveProperties.specSet))
    } else {
        return call.method == method::ContinueRetrievePropertiesEx;
    };
    let mut named = 0;
    specs.into_iter().flat_map(Value::elements).filter_map(Value::as_object).any(|spec| {
        let objects = spec.at(path!(PropertyFilterSpec, "objectSet"));
        let objects = objects.into_iter().flat_map(Value::elements).filter_map(Value::as_object);
        objects.into_iter().any(|object| {
            named += 1;
            named > FEW || walks(object) || is_view(object)
        })
    })
}

fn walks(object: &Object) -> bool {
    let select = object.at(path!(ObjectSpec, "selectSet")).and_then(Value::as_array);
    select.is_some_and(|select| !select.is_empty())
}

fn is_view(object: &Object) -> bool {
    let mo = object.at(path!(ObjectSpec, "obj")).and_then(Value::as_moref);
    mo.is_some_and(|mo| mo.ty().is_a(ty::View))
}

/// Whether an answer is long though its call did not look like it: updates of
/// more objects than a page usually has.
pub fn is_long(reply: &Reply) -> bool {
    let Reply::Value(answer) = reply else { return false };
    let updates = answer.as_ref().and_then(Value::as_object).filter(|o| o.ty().is_a(ty::UpdateSet));
    let sets = updates.and_then(|updates| updates.at(path!(UpdateSet, "filterSet")));
    let sets = sets.into_iter().flat_map(Value::elements).filter_map(Value::as_object);
    let counts = sets.filter_map(|set| {
        set.at(path!(PropertyFilterUpdate, "objectSet"))?.as_array().map(Array::len)
    });
    counts.sum::<usize>() > PAGE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object;
    use crate::schema::{Method, Version};
    use crate::value::{Array, MoRef};
    use crate::vsphere::Caller;

    fn call(method: Method, slot: usize, objects: Vec<Object>) -> Call {
        let spec = object!(PropertyFilterSpec { objectSet: objects });
        let mut args = vec![None; method.params().len()];
        if let Some(place) = args.get_mut(slot) {
            *place = Some(Array::new(ty::PropertyFilterSpec, vec![spec.into()]).into());
        }
        let this = MoRef::new(ty::PropertyCollector, "propertyCollector");
        Call { this, method, args: args.into(), caller: Caller::anonymous(Version::NEWEST) }
    }

    #[test]
    fn what_walks_or_names_many_objects_may_be_large() {
        let vm = |number| {
            object!(ObjectSpec { obj: MoRef::new(ty::VirtualMachine, &format!("vm-{number}")) })
        };
        let few: Vec<Object> = (0..FEW).map(vm).collect();
        let many: Vec<Object> = (0..=FEW).map(vm).collect();
        let view = object!(ObjectSpec { obj: MoRef::new(ty::ContainerView, "view") });
        let walk = object!(SelectionSpec { name: "down" });
        let walks =
            object!(ObjectSpec { obj: MoRef::new(ty::Folder, "group-d1"), selectSet: vec![walk] });
        for (objects, expected) in
            [(few, false), (many, true), (vec![view], true), (vec![walks], true)]
        {
            for (method, slot) in [
                (method::RetrieveProperties, arg!(RetrieveProperties.specSet)),
                (method::RetrievePropertiesEx, arg!(RetrievePropertiesEx.specSet)),
            ] {
                assert_eq!(may_be_large(&call(method, slot, objects.clone())), expected);
            }
        }
        assert!(may_be_large(&call(method::ContinueRetrievePropertiesEx, 9, Vec::new())));
        assert!(!may_be_large(&call(method::CancelTask, 9, Vec::new())));
    }
}
