//! `ViewManager` and the views: sets of objects that a session puts together
//! and that its filters walk through.
//!
//! A view is brought up to date when it is read. It says which objects it was computed
//! from, so that a filter over a view is woken when its members change, and
//! only then.
//!
//! - [`container`]: what a container contains, kept by the server
//! - [`list`]: what a client lists
//! - [`inventory`]: the part of the tree that a client has opened

mod container;
mod inventory;
mod list;

use std::collections::HashSet;
use std::sync::Arc;

use self::container::ContainerView;
pub(super) use self::container::ContainerViews;
use self::inventory::InventoryView;
use self::list::ListView;
use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::property_collector::{give, session_moref};
use super::service::Service;
use super::session::{Session, SessionObject};
use crate::collector::Share;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{Kind, Type, method, ty};
use crate::value::{Array, MoRef, Object, Value};

pub(super) const METHODS: &[Entry] = &[
    (ty::ViewManager, method::CreateContainerView, Handler::Now(create_container_view)),
    (ty::ViewManager, method::CreateListView, Handler::Now(create_list_view)),
    (ty::ViewManager, method::CreateListViewFromView, Handler::Now(create_list_from_view)),
    (ty::ViewManager, method::CreateInventoryView, Handler::Now(create_inventory_view)),
    (ty::ListView, method::ModifyListView, Handler::Now(modify_list)),
    (ty::ListView, method::ResetListView, Handler::Now(reset_list)),
    (ty::ListView, method::ResetListViewFromView, Handler::Now(reset_list_from_view)),
    (ty::InventoryView, method::OpenInventoryViewFolder, Handler::Now(open_folder)),
    (ty::InventoryView, method::CloseInventoryViewFolder, Handler::Now(close_folder)),
    (ty::View, method::DestroyView, Handler::Now(destroy)),
];

/// The manager's properties as `session` sees them.
pub(super) fn properties(session: Option<&Arc<Session>>, stored: &Object) -> Object {
    let views = session.map(|session| session.objects_of(ty::View));
    stored.with(const { ty::ViewManager.slot("viewList") }, views.filter(|list| !list.is_empty()))
}

fn create_container_view(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let container = call.required(arg!(CreateContainerView.container))?.as_moref();
    let container = container.ok_or_else(|| Fault::invalid_argument("container"))?;
    if !snapshot.exists(container) {
        return Err(Fault::not_found(container));
    }
    let containers =
        [ty::Folder, ty::Datacenter, ty::ComputeResource, ty::ResourcePool, ty::HostSystem];
    if !containers.iter().any(|ty| container.ty().is_a(*ty)) {
        return Err(Fault::invalid_argument("container"));
    }
    let types = call.get(arg!(CreateContainerView.type)).map(Value::items).unwrap_or_default();
    let types = types
        .iter()
        .map(|name| {
            let ty = Type::by_name(name.as_str()?)?;
            (ty.kind() == Kind::Managed && ty.is_a(ty::ManagedEntity)).then_some(ty)
        })
        .collect::<Option<Vec<Type>>>()
        .ok_or_else(|| Fault::invalid_argument("type"))?;
    // Each once: a list of any length says no more than that.
    let mut known = HashSet::new();
    let types = types.into_iter().filter(|ty| known.insert(*ty)).collect();
    let recursive = call.flag(arg!(CreateContainerView.recursive));
    let view = ContainerView::new(service.views(), container.clone(), types, recursive);
    add(service, call, ty::ContainerView, view)
}

fn create_list_view(service: &Service, call: &Call) -> Answer {
    let listed = refs(call, arg!(CreateListView.obj));
    if let Some(gone) = listed.iter().find(|mo| !exists(service, call, mo)) {
        return Err(Fault::not_found(gone));
    }
    let view = ListView::new(listed, share(call)?)?;
    add(service, call, ty::ListView, view)
}

fn create_list_from_view(service: &Service, call: &Call) -> Answer {
    let listed = members(service, call, arg!(CreateListViewFromView.view))?;
    let view = ListView::new(listed, share(call)?)?;
    add(service, call, ty::ListView, view)
}

fn create_inventory_view(service: &Service, call: &Call) -> Answer {
    let root = service.content().root_folder.clone();
    let view = InventoryView::new(root, share(call)?);
    add(service, call, ty::InventoryView, view)
}

/// What a new view counts against.
fn share(call: &Call) -> Result<Share, Fault> {
    Ok(call.session()?.budget().share())
}

fn add(service: &Service, call: &Call, ty: Type, view: impl SessionObject) -> Answer {
    let session = call.session()?;
    let mo = session_moref(service, session, ty);
    let limit = service.config().limits.views;
    give(session, &mo, Arc::new(view), (ty::View, limit))?;
    service.touch(&call.this);
    Ok(Some(mo.into()))
}

fn destroy(service: &Service, call: &Call) -> Answer {
    if !call.session()?.remove_object(&call.this) {
        return Err(Fault::not_found(&call.this));
    }
    service.touch(&call.this);
    let instance = MoRef::new(ty::ServiceInstance, "ServiceInstance");
    let manager = path!(ServiceInstance, "content.viewManager");
    if let Some(manager) = service.engine().snapshot().moref(&instance, manager) {
        service.touch(manager);
    }
    Ok(None)
}

fn modify_list(service: &Service, call: &Call) -> Answer {
    let view: Arc<ListView> = view(call, &call.this)?;
    let (add, missing) = resolve(service, call, arg!(ModifyListView.add));
    view.modify(add, &refs(call, arg!(ModifyListView.remove)))?;
    service.touch(&call.this);
    unresolved(missing)
}

fn reset_list(service: &Service, call: &Call) -> Answer {
    let view: Arc<ListView> = view(call, &call.this)?;
    let (listed, missing) = resolve(service, call, arg!(ResetListView.obj));
    view.reset(listed)?;
    service.touch(&call.this);
    unresolved(missing)
}

fn reset_list_from_view(service: &Service, call: &Call) -> Answer {
    let view: Arc<ListView> = view(call, &call.this)?;
    view.reset(members(service, call, arg!(ResetListViewFromView.view))?)?;
    service.touch(&call.this);
    Ok(None)
}

fn open_folder(service: &Service, call: &Call) -> Answer {
    let view: Arc<InventoryView> = view(call, &call.this)?;
    let (folders, missing) = resolve(service, call, arg!(OpenInventoryViewFolder.entity));
    view.open(&folders)?;
    service.touch(&call.this);
    unresolved(missing)
}

fn close_folder(service: &Service, call: &Call) -> Answer {
    let view: Arc<InventoryView> = view(call, &call.this)?;
    let (folders, missing) = resolve(service, call, arg!(CloseInventoryViewFolder.entity));
    view.close_folders(&folders);
    service.touch(&call.this);
    unresolved(missing)
}

/// The session's view called `mo`, if it is a `T`.
fn view<T: SessionObject>(call: &Call, mo: &MoRef) -> Result<Arc<T>, Fault> {
    call.session()?.object_as(mo).ok_or_else(|| Fault::not_found(mo))
}

/// What the view in an argument shows now.
fn members(service: &Service, call: &Call, slot: usize) -> Result<Vec<MoRef>, Fault> {
    let mo = call.required(slot)?.as_moref().ok_or_else(|| Fault::invalid_argument("view"))?;
    let view = call.session()?.object(mo).ok_or_else(|| Fault::not_found(mo))?;
    let properties = view.properties(&service.engine().snapshot());
    let members = properties.field("view").ok_or_else(|| Fault::invalid_argument("view"))?;
    Ok(members.morefs().cloned().collect())
}

fn refs(call: &Call, slot: usize) -> Vec<MoRef> {
    call.get(slot).map(|value| value.morefs().cloned().collect()).unwrap_or_default()
}

/// The objects in an argument that exist, and the others.
fn resolve(service: &Service, call: &Call, slot: usize) -> (Vec<MoRef>, Vec<MoRef>) {
    refs(call, slot).into_iter().partition(|mo| exists(service, call, mo))
}

fn exists(service: &Service, call: &Call, mo: &MoRef) -> bool {
    service.engine().snapshot().exists(mo)
        || call.caller.session.as_ref().is_some_and(|session| session.object(mo).is_some())
}

fn unresolved(missing: Vec<MoRef>) -> Answer {
    let missing = missing.into_iter().map(Value::Ref).collect();
    Ok(Some(Array::new(ty::ManagedObject, missing).into()))
}
