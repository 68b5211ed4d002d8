//! Envelopes: responses and faults as the server sends them, requests as a
//! client does.

use super::encode::{Encoder, escape};
use super::request::Request;
use crate::fault::Fault;
use crate::schema::{Method, Namespace, Version};
use crate::value::Value;
use crate::wire::faults::on_wire;

/// What stands before the content of every body, as vCenter writes it.
const OPEN: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<soapenv:Envelope",
    " xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\"",
    " xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"",
    " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"",
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n",
    "<soapenv:Body>\n",
);

const CLOSE: &str = "\n</soapenv:Body>\n</soapenv:Envelope>";

/// Appends the response to a call: an empty element for no result, one
/// `returnval` for each item of an array.
pub fn encode_response(
    method: Method,
    result: Option<&Value>,
    version: Version,
    out: &mut Vec<u8>,
) {
    begin(method, out);
    if let (Some(field), Some(value)) = (method.result(), result) {
        Encoder::new(out, version, method.namespace()).field(field, value);
    }
    end(method, out);
}

/// Appends what a response to `method` begins with.
pub(super) fn begin(method: Method, out: &mut Vec<u8>) {
    push(out, OPEN);
    open(method.response(), method.namespace(), out);
}

/// Appends what a response to `method` ends with.
pub(super) fn end(method: Method, out: &mut Vec<u8>) {
    close(method.response(), out);
    push(out, CLOSE);
}

/// Appends the response that reports a fault.
pub fn encode_fault(fault: &Fault, version: Version, out: &mut Vec<u8>) {
    push(out, OPEN);
    push(out, "<soapenv:Fault><faultcode>");
    push(out, on_wire(fault.ty()).code);
    push(out, "</faultcode><faultstring>");
    escape(fault.message(), out);
    push(out, "</faultstring><detail>");
    let mut encoder = Encoder::new(out, version, Namespace::Vim25);
    let known = encoder.known(fault.ty());
    push(encoder.out, "<");
    push(encoder.out, known.name());
    push(encoder.out, "Fault xmlns=\"urn:vim25\"");
    encoder.xsi_type(known);
    encoder.fields(known, fault.object());
    push(out, "</");
    push(out, known.name());
    push(out, "Fault></detail></soapenv:Fault>");
    push(out, CLOSE);
}

/// Appends the request that makes a call, as a client of its version does.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    let method = request.method;
    let envelope = OPEN.strip_suffix("<soapenv:Body>\n").unwrap_or(OPEN);
    push(out, envelope);
    let entries = [
        ("operationID", &request.header.operation_id),
        ("activationId", &request.header.activation_id),
        ("changeTag", &request.header.change_tag),
        ("vcSessionCookie", &request.header.session_cookie),
    ];
    if entries.iter().any(|(_, text)| text.is_some()) {
        push(out, "<soapenv:Header>");
        for (name, text) in entries {
            if let Some(text) = text {
                open(name, Namespace::Vim25, out);
                escape(text, out);
                close(name, out);
            }
        }
        push(out, "</soapenv:Header>\n");
    }
    push(out, "<soapenv:Body>\n");
    open(method.name(), method.namespace(), out);
    push(out, "<_this type=\"");
    push(out, request.this.ty().name());
    push(out, "\">");
    escape(request.this.id(), out);
    push(out, "</_this>");
    let mut encoder = Encoder::new(out, request.version, method.namespace());
    for (param, value) in method.params().iter().zip(&request.args) {
        if let Some(value) = value {
            encoder.field(*param, value);
        }
    }
    close(method.name(), out);
    push(out, CLOSE);
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn open(name: &str, namespace: Namespace, out: &mut Vec<u8>) {
    push(out, "<");
    push(out, name);
    push(out, " xmlns=\"");
    push(out, namespace.uri());
    push(out, "\">");
}

fn close(name: &str, out: &mut Vec<u8>) {
    push(out, "</");
    push(out, name);
    push(out, ">");
}
