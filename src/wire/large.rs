//! Where a call is answered: a small one right here, one that may read much
//! aside, so that no other call waits for it.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;

use super::conduct;
use crate::connection::Hangup;
use crate::vsphere::large::{Held, is_long, may_be_large};
use crate::vsphere::{Answer, Call, Service};

/// Makes a call and lets `reply` write down the answer, which takes as long as
/// the answer is large. The reply arrives as rules say.
pub(super) async fn answer(
    service: Arc<Service>,
    call: Call,
    hangup: Option<Extension<Hangup>>,
    reply: impl FnOnce(&Service, &Call, Answer) -> Response + Send + 'static,
) -> Response {
    let mut early = None;
    if !may_be_large(&call) {
        let answer = service.call(&call).await;
        if !is_long(answer.as_ref().ok().and_then(Option::as_ref)) {
            let reply = reply(&service, &call, answer);
            return conduct::deliver(call.caller.fate.get(), hangup.as_deref(), reply).await;
        }
        early = Some(answer);
    }
    let turn = service.large_calls().turn().await;
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let answer = early.unwrap_or_else(|| runtime.block_on(service.call(&call)));
        let response = reply(&service, &call, answer);
        drop(turn);
        (response, call.caller.fate.get().copied())
    });
    match work.await {
        Ok((reply, fate)) => conduct::deliver(fate.as_ref(), hangup.as_deref(), reply).await,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The server is going down.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// From this size on, the bytes of a reply are counted until they are sent.
const LARGE: usize = 1 << 20;

/// A reply's bytes, which count as held while any part of them is there.
struct Counted {
    bytes: Vec<u8>,
    _held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is sent of `body`.
pub(super) fn sent(service: &Service, body: Vec<u8>) -> Bytes {
    if body.len() < LARGE {
        return body.into();
    }
    let held = service.large_calls().hold(body.len());
    Bytes::from_owner(Counted { bytes: body, _held: held })
}
