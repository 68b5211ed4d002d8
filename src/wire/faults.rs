//! How faults travel: the one table from fault types to the wire.

use crate::schema::{Type, ty};

/// What a client sees of a fault beside its type, fields and message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnWire {
    /// The HTTP status; both kinds of client read a fault only under 500.
    pub status: u16,
    /// `faultcode` of SOAP 1.1, unqualified as vCenter writes it.
    pub code: &'static str,
}

/// The most derived type that matches decides, so the base of all faults
/// stands last. vCenter makes no difference between a client's mistakes and
/// the server's; a row that does belongs here.
const TABLE: &[(Type, OnWire)] = &[
    // To clients a failure of the transport, as when vCenter has no more room for sessions.
    (ty::HttpFault, OnWire { status: 503, code: "ServerFaultCode" }),
    (ty::MethodFault, OnWire { status: 500, code: "ServerFaultCode" }),
];

/// How a fault of type `ty` travels.
pub fn on_wire(ty: Type) -> OnWire {
    let row = TABLE.iter().find(|(fault, _)| ty.is_a(*fault));
    row.map_or(OnWire { status: 500, code: "ServerFaultCode" }, |(_, wire)| *wire)
}
