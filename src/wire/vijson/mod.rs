//! The VI/JSON codec and its routes: the vSphere API as JSON over HTTP, which
//! vCenter has beside SOAP since 8.0.1.
//!
//! ```text
//!   POST /api/vcenter/system?action=hello                    which release do both speak?
//!   POST /sdk/vim25/{release}/{MoType}/{moId}/{Method}       arguments as one object
//!   GET  /sdk/vim25/{release}/{MoType}/{moId}/{property}
//! ```
//!
//! The same calls reach the same methods as over SOAP; only the form differs:
//!
//! - An object is a JSON object whose `_typeName` comes first when vimsim writes
//!   it, and may stand anywhere, or be left out where the declared type is
//!   meant, when a client does. A request's own `_typeName` is the method's name
//!   with `RequestType`, without `_Task`.
//! - Where any type may stand, what is not an object is put in a box:
//!   `{"_typeName": "int", "_value": 1}`, arrays as `ArrayOfInt`. A reference
//!   there needs no box, but may have one.
//! - Numbers are numbers, `long` ones too; times are texts in ISO 8601, bytes
//!   texts in base64. JSON has no infinite numbers: they are the texts `INF`,
//!   `-INF` and `NaN`, as XML schema writes them.
//! - A fault in data is the fault itself, with its message as `faultstring`: there
//!   is no `LocalizedMethodFault` around it. With one it is understood as well.
//! - Unset fields and empty optional arrays are left out; `null` is read as
//!   unset. Void and null results are 204; an empty array that is not optional
//!   is `[]`.
//! - `{release}` is the version that the client speaks. What is newer is not sent.
//!   A release that the server does not have is a 404, as is what the release
//!   does not have: types, methods, properties.
//! - The reply to a login has the session in the header `vmware-api-session-id`,
//!   and later requests repeat it.
//! - Every other fault is a 500, with its message as `faultstring`.
//!
//! A browser's or a script's JSON is taken as it comes: what does not fit the
//! schema is refused by an `InvalidRequest` that names the place.
//!
//! - `decode`: arguments by their types, with `names`, `buffer` and `context`;
//!   `error`: what is wrong with them, and where
//! - `encode`: results and faults, straight into one buffer
//! - `http`: the routes; `hello`: the choice of a release

mod buffer;
mod context;
mod decode;
mod encode;
mod error;
pub(crate) mod hello;
pub(crate) mod http;
mod names;

pub use context::Limits;
pub use decode::{decode_arguments, decode_value};
pub use encode::{encode_arguments, encode_fault, encode_result, encode_value};
pub use error::{DecodeError, Problem};

use crate::schema::Version;

/// The release with which VI/JSON began.
const FIRST: &str = "8.0.1.0";

/// The releases that a server of `version` speaks, newest first.
pub(crate) fn releases(version: Version) -> impl Iterator<Item = Version> {
    let first = Version::parse(FIRST).unwrap_or(Version::NEWEST);
    Version::all().rev().filter(move |release| (first..=version).contains(release))
}
