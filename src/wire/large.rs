//! Where a call is answered: a small one right here, one that may read much
//! aside, so that no other call waits for it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;

use crate::vsphere::large::may_be_large;
use crate::vsphere::{Answer, Call, Service};

/// Makes a call and lets `reply` write down the answer, which takes as long as
/// the answer is large.
pub(super) async fn answer(
    service: Arc<Service>,
    call: Call,
    reply: impl FnOnce(&Service, &Call, Answer) -> Response + Send + 'static,
) -> Response {
    if !may_be_large(&call) {
        let answer = service.call(&call).await;
        return reply(&service, &call, answer);
    }
    let turn = service.large_calls().turn().await;
    let runtime = Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let answer = runtime.block_on(service.call(&call));
        let response = reply(&service, &call, answer);
        drop(turn);
        response
    });
    match work.await {
        Ok(response) => response,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The server is going down.
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
