//! What types exist: handles into the static tables that the build script compiles from `wsdl/`.
//!
//! A [`Type`], [`Field`] or [`Method`] is a number; everything known of it is one look into a table.
//! Names are resolved at compile time where they are written in code: [`ty::TaskInfo`](ty) is a
//! constant, `ty::TaskInfo.slot("state")` is one too when it stands in a `const`, and a mistyped
//! field does not compile:
//!
//! ```
//! use vimsim::schema::ty;
//! const STATE: usize = ty::TaskInfo.slot("state");
//! assert_eq!(ty::TaskInfo.fields()[STATE].ty(), ty::TaskInfoState);
//! ```
//!
//! ```compile_fail
//! use vimsim::schema::ty;
//! const STATE: usize = ty::TaskInfo.slot("sate");
//! ```

mod field;
mod hash;
mod method_handle;
mod path;
mod static_path;
mod tables;
mod type_handle;
mod version;

pub use field::Field;
pub use method_handle::Method;
pub use path::{Key, Path, PathError, PathRef, Step, StepRef};
pub use static_path::StaticPath;
pub use type_handle::{Kind, Primitive, Type};
pub use version::{Namespace, Version};

/// One constant for every type of the schema, under its WSDL name: data objects, enumerations, managed
/// objects and arrays. The scalars are in capitals: `STRING`, `INT`, `DATE_TIME`, `ANY`.
#[allow(missing_docs, non_upper_case_globals, reason = "the names are the schema's")]
pub mod ty {
    use super::Type;

    include!(concat!(env!("OUT_DIR"), "/ty.rs"));
}

/// One constant for every method of the schema, under its WSDL name.
#[allow(missing_docs, non_upper_case_globals, reason = "the names are the schema's")]
pub mod method {
    use super::Method;

    include!(concat!(env!("OUT_DIR"), "/method.rs"));
}
