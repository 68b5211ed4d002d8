//! The class `VM`: the virtual machines of the inventory, templates among them.

mod current;
mod fields;
mod jobs;
mod operations;

pub use current::{holder, operation_of};
pub(super) use fields::CLASS;
pub use fields::resident_on;
pub use operations::Operation;
