//! What becomes of a reply when a rule says that it does not arrive as it is;
//! the same for all front ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::{Frame, SizeHint};

use crate::connection::{Hangup, HangupKind};
use crate::scenario::ReplyFate;

/// What the proxy in front of vCenter answers when vCenter itself is down.
const UPSTREAM: &str = "no healthy upstream";

/// The reply to a call as it arrives.
pub(crate) async fn deliver(
    fate: Option<&ReplyFate>,
    hangup: Option<&Hangup>,
    reply: Response<Body>,
) -> Response<Body> {
    match fate {
        Some(fate) => meet(*fate, hangup, reply).await,
        None => reply,
    }
}

/// Lets a reply meet its fate. Where the connection is not known, as in tests
/// without one, a reply that is lost is a 503 as well.
async fn meet(fate: ReplyFate, hangup: Option<&Hangup>, reply: Response<Body>) -> Response<Body> {
    tracing::debug!(?fate, "a reply does not arrive as it is");
    let end = match fate {
        ReplyFate::Cut => return cut(reply).await,
        ReplyFate::Unavailable => None,
        ReplyFate::Silent => return std::future::pending().await,
        ReplyFate::Lost => Some(HangupKind::Close),
        ReplyFate::Reset => Some(HangupKind::Reset),
    };
    if let Some((hangup, kind)) = hangup.zip(end) {
        hangup.ask(kind);
        // The connection ends, and this with it.
        return std::future::pending().await;
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/plain")], UPSTREAM).into_response()
}

/// Announces the whole reply, sends half of it, and fails.
async fn cut(reply: Response<Body>) -> Response<Body> {
    let (mut parts, body) = reply.into_parts();
    // A reply that is all there cannot fail to be read.
    let mut body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let whole = body.len();
    body.truncate(whole / 2);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole));
    Response::from_parts(parts, Body::new(Half { rest: Some(body), whole, rested: false }))
}

/// A body that ends too early.
struct Half {
    rest: Option<Bytes>,
    whole: usize,
    rested: bool,
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.rest.take() {
            Some(half) if !half.is_empty() => Poll::Ready(Some(Ok(Frame::data(half)))),
            _ if !self.rested => {
                // A connection that waits for more of a body sends what it has.
                self.rested = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(io::Error::other("the reply is cut, as a rule says")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole as u64)
    }
}
