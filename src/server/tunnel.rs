//! The SDK tunnel: the HTTP proxy by which extensions log in with a certificate.
//!
//! A client asks for `CONNECT sdkTunnel:8089` and speaks TLS through the connection. On a real
//! vCenter the proxy is port 80 and the name leads to an inner port that asks for certificates;
//! here every target leads to this server, which asks for a certificate on tunnelled connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::accept::{Context, tunnelled};
use crate::connection::Hangup;

/// Serves one connection of the tunnel's port, and what goes on inside it.
pub(super) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    hangup: &Hangup,
    context: Arc<Context>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (hand_over, mut inner) = oneshot::channel();
    let hand_over = std::sync::Mutex::new(Some(hand_over));
    let service = service_fn(|mut request: Request<Incoming>| {
        let reply = if request.method() == Method::CONNECT {
            let upgrade = hyper::upgrade::on(&mut request);
            if let Some(hand_over) = hand_over.lock().ok().and_then(|mut taken| taken.take()) {
                // The receiver is there as long as the connection is.
                let _ = hand_over.send(upgrade);
            }
            Response::new(Body::empty())
        } else {
            let mut reply = Response::new(Body::from("This port only tunnels: CONNECT.\n"));
            *reply.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            reply.headers_mut().insert(ALLOW, HeaderValue::from_static("CONNECT"));
            reply
        };
        async move { Ok::<_, Infallible>(reply) }
    });
    let proxy = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(context.limits.header_time)
        .max_header_size(context.limits.header_bytes)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        outcome = proxy => outcome?,
        () = context.shutdown.begun() => return Ok(()),
    }
    // The proxy's part ends with the first CONNECT, or without one when the client goes.
    let Ok(upgrade) = inner.try_recv() else { return Ok(()) };
    tunnelled(TokioIo::new(upgrade.await?), address, hangup, &context).await
}
