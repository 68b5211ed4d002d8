//! The simulated server: managed objects, and what each of their methods means.
//!
//! Front ends make a [`Call`] and hand it to [`Service::call`]; they know
//! nothing else of this layer. Each managed object type has a file (or a
//! folder) with a table of its methods; [`dispatch`] joins the tables.
//!
//! What is no managed object: `call`, `dispatch` and `service`, the seam;
//! `operation`, the work of a task; `source`, what a session reads; `action`,
//! what schedules and alarms have done; `directing`, what rules say of calls;
//! `front`, for other products' front ends; `model`, the initial inventory;
//! `large`, `bounds` and `logins`, what many clients may have.

mod action;
mod alarm;
pub mod authorization;
mod bounds;
pub mod call;
mod cluster;
pub mod containment;
mod custom_fields;
mod customization_specs;
mod datacenter;
mod datastore_browser;
mod datastore_path;
mod delays;
mod descriptions;
mod directing;
pub mod dispatch;
mod environment_browser;
mod events;
mod extension_manager;
mod file_manager;
mod files;
mod folder;
mod front;
mod history;
mod host;
pub mod large;
mod left_files;
mod license;
mod logins;
mod managed_entity;
pub mod model;
mod names;
mod network;
pub mod operation;
mod option_manager;
mod performance;
mod placement;
mod property_collector;
mod removal;
mod resource_pool;
pub mod saved;
mod scheduled;
mod search_index;
pub mod service;
mod service_instance;
pub mod session;
mod session_manager;
mod source;
mod task;
mod task_manager;
mod user_directory;
mod view;
mod virtual_app;
mod vm;
mod waker;

pub use call::{Call, Caller};
pub use dispatch::{Answer, Contents, Page, Reply, Row, Told, missing_property};
pub use saved::{NoSuchState, StateInfo};
pub use service::Service;
pub use session::{Session, Sessions};
pub use source::SessionSource;

/// The methods of every managed object type.
const METHODS: &[&[dispatch::Entry]] = &[
    alarm::METHODS,
    authorization::METHODS,
    cluster::configuration::METHODS,
    cluster::create::METHODS,
    cluster::placing::METHODS,
    custom_fields::METHODS,
    customization_specs::METHODS,
    datacenter::METHODS,
    datastore_browser::METHODS,
    environment_browser::METHODS,
    events::collector::METHODS,
    events::manager::METHODS,
    file_manager::METHODS,
    extension_manager::METHODS,
    performance::METHODS,
    property_collector::METHODS,
    folder::METHODS,
    history::tasks::METHODS,
    host::connection::METHODS,
    host::joining::METHODS,
    host::maintenance::METHODS,
    host::services::METHODS,
    host::settings::METHODS,
    license::METHODS,
    managed_entity::METHODS,
    network::lookup::METHODS,
    network::portgroup::METHODS,
    network::switch::METHODS,
    option_manager::METHODS,
    resource_pool::METHODS,
    scheduled::METHODS,
    search_index::METHODS,
    service_instance::METHODS,
    session_manager::METHODS,
    task::METHODS,
    task_manager::METHODS,
    user_directory::METHODS,
    view::METHODS,
    virtual_app::METHODS,
    vm::clone::METHODS,
    vm::create::METHODS,
    vm::customize::METHODS,
    vm::instant_clone::METHODS,
    vm::power::METHODS,
    vm::question::METHODS,
    vm::reconfigure::METHODS,
    vm::registration::METHODS,
    vm::relocate::METHODS,
    vm::snapshot::METHODS,
    vm::template::METHODS,
    vm::upkeep::METHODS,
];
