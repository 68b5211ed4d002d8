//! The SOAP codec: bytes to [`Request`], and results and faults to bytes.
//!
//! Both directions walk the schema and the data together; there is no tree in
//! between. Reading takes what any client writes (prefixes, order of fields,
//! whitespace, CDATA, needless `xsi:type`), and refuses what does not fit the
//! schema with the place of the mistake. Writing keeps to the one form that
//! strict clients need: declaration order, `xsi:type` where it is needed and
//! nowhere else, nothing that the client's version does not know.
//!
//! - [`request`]: the envelope and the call in it; [`decode`]: data by its type
//! - [`reader`]: the stream of elements, with namespaces and limits
//! - [`error`]: what is wrong with a request, and where
//! - [`encode`]: values, [`envelope`]: requests, responses, faults
//! - `contents`: replies about many objects, written piece by piece; `kept`: rows written before
//! - `saved`: inventories in files; `http`: `POST /sdk`; `schema`: the WSDL files and the list of versions

mod contents;
pub(in crate::wire) mod decode;
mod encode;
mod envelope;
mod error;
pub(crate) mod http;
pub(crate) mod kept;
mod reader;
mod request;
pub(crate) mod saved;
pub(crate) mod schema;

pub use envelope::{encode_fault, encode_request, encode_response};
pub use error::{DecodeError, Place, Problem};
pub(crate) use http::{PATHS, calls};
pub use reader::Limits;
pub use request::{Header, Request, decode_request};
pub use saved::LoadError;
