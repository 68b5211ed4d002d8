//! The SOAP codec: what clients write is read, what is written suits them, and
//! what is wrong is named with its place.

mod errors;
mod read;
mod round_trip;
mod write;

use vimsim::value::Value;
use vimsim::wire::soap::{DecodeError, Limits, Request, decode_request};

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// A body in an envelope with the usual prefixes.
fn soap(body: &str) -> String {
    format!(
        "<S:Envelope xmlns:S='http://schemas.xmlsoap.org/soap/envelope/' xmlns:xsi='{XSI}' \
         xmlns:xsd='{XSD}' xmlns:v='urn:vim25'><S:Body>{body}</S:Body></S:Envelope>"
    )
}

fn decode(document: &str) -> Result<Request, DecodeError> {
    decode_request(document.as_bytes(), Some("urn:vim25/8.0.3.0"), Limits::default())
}

#[track_caller]
fn call(body: &str) -> Request {
    decode(&soap(body)).unwrap_or_else(|error| panic!("{error}"))
}

fn arg<'r>(request: &'r Request, name: &str) -> Option<&'r Value> {
    let (slot, _) = request.method.param(name).expect("a parameter");
    request.args[slot].as_ref()
}
