//! XenAPI on the wire: XML-RPC and JSON-RPC over HTTP.
//!
//! No crate fits: what XenServer sends is XML-RPC with rules of its own
//! (numbers are untyped text, failures are no faults, one list comes without
//! the envelope), and its JSON-RPC tells versions 1 and 2 apart by what the
//! request has. So the codecs are our own, on quick-xml and serde_json.
//!
//! - [`xmlrpc`], [`jsonrpc`]: bytes to requests, answers to bytes
//! - `http`: routes, headers, limits
//!
//! # Where documents and implementation disagree
//!
//! We follow the implementation unless a client breaks. One by one:
//!
//! 1. A task's `type` is documented as a class name: it is `<none/>`, always.
//! 2. `task.cancel` is documented to fail with `OPERATION_NOT_ALLOWED`: it
//!    never does; on a task that cannot be cancelled, or has ended, it succeeds
//!    without an effect.
//! 3. The status `cancelling` is never the server's, only a client's by
//!    `set_status`.
//! 4. `set_resident_on` is not in the class's list of messages: it is
//!    `MESSAGE_METHOD_UNKNOWN`.
//! 5. The result of a task is documented as nothing or a reference: it is any
//!    value, as the text of an XML-RPC value, under JSON as well.
//! 6. Progress is 1 when the server has ended a task, and `status` alone says
//!    that it has: both documents hold.
//! 7. An event's `id` and `timestamp` are documented as a number and a time:
//!    both are texts.
//! 8. Tasks do emit events, whatever the guide says.
//! 9. `other_config` is as since 25.8: read-only as a field, changed by
//!    messages of its own.
//!
//! And what is not from the implementation: bodies may come chunked (the real
//! product wants a length); the API version is 2.21, that of XenServer 8, so
//! that clients choose what is served here; `system.listMethods` lists what is
//! served and nothing else; names of headers have no case, so a key of
//! `X-Http-Other-Config-*` arrives in lower case.

pub(crate) mod http;
pub mod jsonrpc;
pub mod xmlrpc;

pub(crate) use http::{beside, by_itself};

/// Why a body is no request.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The document is not well-formed, or nothing that we read.
    #[error("{0}")]
    Document(String),
    /// The document is no request.
    #[error("{0}")]
    NoRequest(&'static str),
    /// Too much of something.
    #[error("too much: {0}")]
    Limit(&'static str),
}
