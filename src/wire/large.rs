//! Where a call is answered: a small one right here, one that may read much
//! aside, so that no other call waits for it.

use std::io;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use tokio::runtime::Handle;

use super::conduct;
use crate::connection::Hangup;
use crate::fault::Fault;
use crate::vsphere::large::{Held, is_long, may_be_large};
use crate::vsphere::{Call, Reply, Service};

/// Makes a call and lets `reply` write down the answer, which takes as long as
/// the answer is large. The reply arrives as rules say.
pub(super) async fn answer(
    service: Arc<Service>,
    call: Call,
    hangup: Option<Extension<Hangup>>,
    reply: impl FnOnce(&Arc<Service>, &Call, Result<Reply, Fault>) -> Response + Send + 'static,
) -> Response {
    let mut early = None;
    if !may_be_large(&call) {
        let answer = service.reply(&call).await;
        if !answer.as_ref().is_ok_and(is_long) {
            let reply = reply(&service, &call, answer);
            return conduct::deliver(call.caller.fate.get(), hangup.as_deref(), reply).await;
        }
        early = Some(answer);
    }
    let turn = service.large_calls().turn().await;
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let answer = early.unwrap_or_else(|| runtime.block_on(service.reply(&call)));
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

/// A body whose first piece is `first`, and whose other pieces `write` appends
/// to what it is given, each when the client has taken the one before; it says
/// which is the last. A piece is about `capacity` bytes long. Each is worked on as a large call is, in its turn.
pub(super) fn in_pieces(
    service: &Arc<Service>,
    first: Bytes,
    capacity: usize,
    write: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static,
) -> Body {
    let service = Arc::clone(service);
    let rest = stream::unfold(Some(write), move |write| {
        let service = Arc::clone(&service);
        async move {
            let mut write = write?;
            let turn = service.large_calls().turn().await;
            let work = tokio::task::spawn_blocking(move || {
                let mut piece = Vec::with_capacity(capacity);
                let last = write(&mut piece);
                let piece = sent(&service, piece);
                drop(turn);
                (piece, (!last).then_some(write))
            });
            match work.await {
                Ok((piece, write)) => Some((Ok(piece), write)),
                // The connection ends in the middle, so nobody takes it for whole.
                Err(error) => Some((Err(io::Error::other(error)), None)),
            }
        }
    });
    Body::from_stream(stream::once(async { Ok(first) }).chain(rest))
}
