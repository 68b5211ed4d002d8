//! The initial inventory, and the makers of inventory objects that operations
//! use too.
//!
//! [`build`] makes the inventory that a [`Config`](crate::config::Config) describes. Its parts are
//! modules by kind of object; each makes the properties of a new object as a
//! whole, every required one set. Where a client reads one thing under several
//! names, or a sum of others, one function writes all of them: [`vm::change`]
//! and [`vm::refresh`], [`host::refresh`], [`compute::refresh`],
//! [`totals::Totals`].
//!
//! Large tables are files under `data/`, read by the module [`data`].

pub mod about;
mod build;
pub mod catalog;
pub mod compute;
mod counters;
mod data;
pub mod datastore;
pub mod device;
pub mod dvs;
pub mod dvs_members;
pub mod dvs_ports;
pub mod entity;
pub mod environment;
pub mod folder;
pub mod guest_os;
pub mod host;
pub mod identity;
pub mod keys;
mod links;
mod loaded;
pub mod network;
pub mod pool;
mod privileges;
pub mod rename;
mod service;
pub mod stamp;
pub mod totals;
pub mod vm;

pub use build::{build, build_with};
pub use catalog::Catalog;
pub use loaded::{is_host, load};
pub use rename::rename;

/// Sets fields of an object in the making, with the names checked by the
/// compiler: `put!(builder, Folder { name: "vm" })`.
macro_rules! put {
    ($builder:expr, $type:ident { $($field:tt : $value:expr),* $(,)? }) => {{
        $($builder.set(
            const { $crate::schema::ty::$type.slot(stringify!($field)) },
            $value,
        );)*
    }};
}
use put;
