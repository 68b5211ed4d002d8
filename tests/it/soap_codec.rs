//! The SOAP codec: what clients write is read, what is written suits them, and
//! what is wrong is named with its place.

use vimsim::schema::{method, ty};
use vimsim::value::{MoRef, Value};
use vimsim::wire::soap::{Limits, Request, decode_request};

fn arg<'r>(request: &'r Request, name: &str) -> Option<&'r Value> {
    let (slot, _) = request.method.param(name).expect("a parameter");
    request.args[slot].as_ref()
}

#[test]
fn a_call_as_pyvmomi_writes_it() {
    let body = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<soapenv:Envelope xmlns:soapenc=\"http://schemas.xmlsoap.org/soap/encoding/\" ",
        "xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" ",
        "xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" ",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n",
        "<soapenv:Header><operationID xmlns=\"urn:vim25\" versionId=\"8.0.3.0\">op-7",
        "</operationID><vcSessionCookie>abc</vcSessionCookie></soapenv:Header>\n",
        "<soapenv:Body><PowerOnVM_Task xmlns=\"urn:vim25\">",
        "<_this versionId=\"8.0.2.0\" type=\"VirtualMachine\">vm-57</_this>",
        "<host xsi:type=\"ManagedObject\" type=\"HostSystem\">host-9</host>",
        "</PowerOnVM_Task></soapenv:Body></soapenv:Envelope>",
    );
    let limits = Limits::default();
    let request = decode_request(body.as_bytes(), Some("\"urn:vim25/8.0.3.0\""), limits).unwrap();
    assert_eq!(request.method, method::PowerOnVM_Task);
    assert_eq!(request.this, MoRef::new(ty::VirtualMachine, "vm-57"));
    assert_eq!(request.version.as_str(), "8.0.3.0");
    assert_eq!(arg(&request, "host"), Some(&MoRef::new(ty::HostSystem, "host-9").into()));
    assert_eq!(request.header.operation_id.as_deref(), Some("op-7"));
    assert_eq!(request.header.session_cookie.as_deref(), Some("abc"));
    let unversioned = decode_request(body.as_bytes(), None, limits).unwrap();
    assert_eq!(unversioned.version.as_str(), "8.0.2.0");
}
