//! Where a call is answered: a small one right here, one that may read much
//! aside, so that no other call waits for it.

use std::sync::Arc;

use axum::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;

use super::conduct;
use crate::connection::Hangup;
use crate::vsphere::large::may_be_large;
use crate::vsphere::{Answer, Call, Service};

/// Makes a call and lets `reply` write down the answer, which takes as long as
/// the answer is large. The reply arrives as rules say.
pub(super) async fn answer(
    service: Arc<Service>,
    call: Call,
    hangup: Option<Extension<Hangup>>,
    reply: impl FnOnce(&Service, &Call, Answer) -> Response + Send + 'static,
) -> Response {
    if !may_be_large(&call) {
        let answer = service.call(&call).await;
        let reply = reply(&service, &call, answer);
        return conduct::deliver(call.caller.fate.get(), hangup.as_deref(), reply).await;
    }
    let turn = service.large_calls().turn().await;
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let answer = runtime.block_on(service.call(&call));
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
