//! Who makes a request, as far as HTTP can tell.

use axum::http::header::{HeaderMap, USER_AGENT};

use crate::connection::Peer;
use crate::schema::Version;
use crate::value::Str;
use crate::vsphere::{Caller, Service};

/// The caller of a request from `peer` with these headers, who speaks `version`
/// and has shown the session's `token`.
pub(super) fn caller(
    service: &Service,
    peer: Option<&Peer>,
    headers: &HeaderMap,
    token: Option<&str>,
    version: Version,
) -> Caller {
    Caller {
        session: token.and_then(|token| service.session(token)),
        address: peer.map(|peer| peer.address.ip()),
        user_agent: text(headers, USER_AGENT.as_str()).unwrap_or_default(),
        has_certificate: peer.is_some_and(|peer| peer.certificate.is_some()),
        ..Caller::anonymous(version)
    }
}

/// The value of a header, if it is text.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<Str> {
    headers.get(name)?.to_str().ok().map(Str::from)
}
