//! The server through real sockets: encryption, compression, limits in size and time, the end.

mod client;
mod compression;
mod ending;
mod limits;
mod plain;
mod tls;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Extension;
use axum::routing::{get, post};
use vimsim::connection::Peer;
use vimsim::server::{Server, ServerError};

use client::{Client, plain, start};

/// Routes that show what the server hands on.
fn echo() -> Router {
    Router::new()
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/large", get(|| async { "0123456789abcdef".repeat(1 << 10) }))
        .route("/small", get(|| async { "small" }))
        .route("/peer", get(|Extension(peer): Extension<Peer>| async move { format!("{peer:?}") }))
        .route("/panic", get(|| async { panic!("as the test wants") as () }))
}

#[tokio::test]
async fn port_0_picks_a_free_port_and_the_url_names_it() {
    let server = start(plain(), echo()).await;
    let port = server.address.port();
    assert_ne!(port, 0);
    assert_eq!(server.url, format!("http://127.0.0.1:{port}/sdk"));
    assert_eq!(server.url_with_login, format!("http://a%3Ab:c%40d%27@127.0.0.1:{port}/sdk"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = start(plain(), echo()).await;
    let mut config = plain();
    config.listen.port = server.address.port();
    let error = Server::bind(&config, echo()).await.unwrap_err();
    assert!(matches!(error, ServerError::Bind { .. }), "{error}");
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
}

#[tokio::test]
async fn no_host_means_all_interfaces_and_a_url_that_reaches_them() {
    let mut config = plain();
    config.listen.host.clear();
    let server = start(config, echo()).await;
    assert!(server.address.ip().is_unspecified());
    assert!(!server.url.contains("0.0.0.0") && !server.url.contains("[::]"), "{}", server.url);
    let mut client = Client::to(("127.0.0.1", server.address.port())).await;
    assert_eq!(client.get("/small").await.text(), "small");
}

#[tokio::test]
async fn a_name_means_its_ipv4_address() {
    let mut config = plain();
    config.listen.host = "localhost".to_owned();
    let server = start(config, echo()).await;
    assert!(server.address.is_ipv4(), "{}", server.address);
}

#[tokio::test]
async fn a_connection_is_kept_for_further_requests() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    for body in ["one", "two", "three"] {
        let reply = client.post("/echo", &[], body.as_bytes()).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, body));
    }
}

#[tokio::test]
async fn handlers_know_their_peer() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    let peer = client.get("/peer").await.text();
    assert!(peer.contains(&client.local.to_string()), "{peer}");
    assert!(peer.contains("tls: false"), "{peer}");
}

#[tokio::test]
async fn a_panic_costs_one_request_only() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    let reply = client.get("/panic").await;
    assert_eq!(reply.status, 500);
    assert!(!reply.text().contains("as the test wants"), "internals stay in the log");
    assert_eq!(client.get("/small").await.status, 200);
}
