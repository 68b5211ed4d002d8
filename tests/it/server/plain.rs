//! Plain calls, which pass the routes by: with the limits and the care of all requests, and left
//! to the routes when they are not plain.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use flate2::read::GzDecoder;
use futures_util::stream;
use tokio::sync::Notify;
use tokio::time::Instant;
use vimsim::config::Config;
use vimsim::server::Routes;

use super::client::{Running, head, plain, start};

/// What the function beside the routes waits for.
#[derive(Default)]
struct Gate {
    entered: Notify,
    open: Notify,
    dropped: Notify,
}

struct Told(Arc<Gate>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

async fn called(gate: Arc<Gate>, headers: HeaderMap, body: Bytes) -> Response {
    let _told = Told(gate.clone());
    match body.as_ref() {
        b"panic" => panic!("as the test wants"),
        b"wait" => {
            gate.entered.notify_one();
            gate.open.notified().await;
            "done".into_response()
        }
        b"large" => "0123456789abcdef".repeat(1 << 10).into_response(),
        b"pieces" => {
            let pieces = ["one ", "", "two"].map(Ok::<_, std::io::Error>);
            Body::from_stream(stream::iter(pieces)).into_response()
        }
        _ => {
            let extra = headers.get("x-extra").and_then(|value| value.to_str().ok());
            format!("call {} {}", extra.unwrap_or("-"), body.len()).into_response()
        }
    }
}

/// A server that has `/call` answered by a function, and by a route if need be.
async fn serve(config: Config) -> (Running, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let routes = Router::new()
        .route("/call", post(|body: Bytes| async move { format!("route {}", body.len()) }))
        .route("/other", get(|| async { "other" }));
    let inside = gate.clone();
    let routes = Routes::from(routes).with_calls(&["/call"], move |_, headers, body| {
        Box::pin(called(inside.clone(), headers, body))
    });
    (start(config, routes).await, gate)
}

#[tokio::test]
async fn plain_calls_pass_the_routes_by_and_the_rest_takes_them() {
    let (server, _) = serve(plain()).await;
    let mut client = server.client().await;
    for extra in ["x-extra: 1", "connection: keep-alive\r\nx-extra: 1"] {
        let reply = client.post("/call", &[extra], b"abc").await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "call 1 3"));
        assert!(reply.header("date").is_some_and(|date| date.ends_with(" GMT")), "{reply:?}");
        assert_eq!(reply.header("connection"), None);
    }
    assert_eq!(client.get("/other").await.text(), "other");
    for (special, expected) in [
        ("content-encoding: identity", "route 2"),
        ("expect: 100-continue", "call - 2"),
        ("connection: close", "call - 2"),
    ] {
        let mut client = server.client().await;
        client.write(head("POST", "/call", &[special, "content-length: 2"]).as_bytes()).await;
        client.write(b"ab").await;
        let mut reply = client.reply().await.unwrap();
        if reply.status == 100 {
            reply = client.reply().await.unwrap();
        }
        assert_eq!(reply.text(), expected, "{special}");
    }
    let mut client = server.client().await;
    client.write(head("POST", "/call", &["transfer-encoding: chunked"]).as_bytes()).await;
    client.write(b"2\r\nab\r\n0\r\n\r\n").await;
    assert_eq!(client.reply().await.unwrap().text(), "call - 2");
}

#[tokio::test]
async fn requests_may_come_in_pieces_or_several_at_once() {
    let (server, _) = serve(plain()).await;
    let mut client = server.client().await;
    let call = head("POST", "/call", &["content-length: 3"]) + "abc";
    for byte in call.as_bytes() {
        client.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await.unwrap().text(), "call - 3");
    let three = call.repeat(2) + &head("GET", "/other", &[]) + &call;
    client.write(three.as_bytes()).await;
    for expected in ["call - 3", "call - 3", "other", "call - 3"] {
        assert_eq!(client.reply().await.unwrap().text(), expected);
    }
}

#[tokio::test]
async fn a_long_body_is_taken_up_to_the_limit() {
    let mut config = plain();
    config.limits.body = 200_000;
    let (server, _) = serve(config).await;
    let mut client = server.client().await;
    let reply = client.post("/call", &[], &[b'x'; 60_000]).await;
    assert_eq!(reply.text(), "call - 60000");
    // Long ones wait for room first.
    let reply = client.post("/call", &[], &[b'x'; 200_000]).await;
    assert_eq!(reply.text(), "call - 200000");
    let reply = client.post("/call", &[], &[b'x'; 200_001]).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_late_body_is_refused() {
    let config = plain();
    let body_time = config.limits.body_time;
    let (server, _) = serve(config).await;
    let mut client = server.client().await;
    let begun = Instant::now();
    client.write(head("POST", "/call", &["content-length: 100"]).as_bytes()).await;
    client.write(b"the beginning").await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    assert!(begun.elapsed() >= body_time && begun.elapsed() < body_time + Duration::from_secs(1));
    assert!(client.is_closed().await);
}

#[tokio::test(start_paused = true)]
async fn time_limits_are_those_of_all_connections() {
    let config = plain();
    let (header_time, idle_time) = (config.limits.header_time, config.limits.idle_time);
    let (server, gate) = serve(config).await;
    let mut client = server.client().await;
    let begun = Instant::now();
    client.write(b"POST /call HTTP/1.1\r\n").await;
    assert!(client.is_closed().await);
    assert!(begun.elapsed() >= header_time && begun.elapsed() < header_time * 2);

    let mut client = server.client().await;
    client.write((head("POST", "/call", &["content-length: 4"]) + "wait").as_bytes()).await;
    gate.entered.notified().await;
    tokio::time::sleep(idle_time * 3).await;
    gate.open.notify_one();
    assert_eq!(client.reply().await.unwrap().text(), "done");
    let begun = Instant::now();
    assert!(client.is_closed().await);
    assert!(begun.elapsed() >= idle_time && begun.elapsed() < idle_time * 2);
}

#[tokio::test]
async fn long_replies_are_compressed_for_those_who_accept() {
    let (server, _) = serve(plain()).await;
    let mut client = server.client().await;
    let whole = client.post("/call", &[], b"large").await;
    assert_eq!((whole.header("content-encoding"), whole.body.len()), (None, 16384));
    let accept = &["accept-encoding: gzip, deflate"];
    let zipped = client.post("/call", accept, b"large").await;
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut unzipped = Vec::new();
    GzDecoder::new(&zipped.body[..]).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, whole.body);
    let small = client.post("/call", accept, b"small").await;
    assert_eq!((small.header("content-encoding"), small.text().as_str()), (None, "call - 5"));
}

#[tokio::test]
async fn a_reply_without_a_length_is_sent_in_chunks() {
    let (server, _) = serve(plain()).await;
    let mut client = server.client().await;
    for _ in 0..2 {
        let reply = client.post("/call", &[], b"pieces").await;
        assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
        assert_eq!(reply.text(), "one two");
    }
}

#[tokio::test]
async fn a_panic_costs_one_call_only() {
    let (server, _) = serve(plain()).await;
    let mut client = server.client().await;
    assert_eq!(client.post("/call", &[], b"panic").await.status, 500);
    assert_eq!(client.post("/call", &[], b"small").await.text(), "call - 5");
}

#[tokio::test]
async fn a_call_whose_client_goes_is_cancelled() {
    let (server, gate) = serve(plain()).await;
    let mut client = server.client().await;
    client.write((head("POST", "/call", &["content-length: 4"]) + "wait").as_bytes()).await;
    gate.entered.notified().await;
    drop(client);
    gate.dropped.notified().await;
}

#[tokio::test]
async fn calls_in_flight_end_before_the_server() {
    let (mut server, gate) = serve(plain()).await;
    let mut idle = server.client().await;
    assert_eq!(idle.post("/call", &[], b"small").await.status, 200);
    let mut busy = server.client().await;
    busy.write((head("POST", "/call", &["content-length: 4"]) + "wait").as_bytes()).await;
    gate.entered.notified().await;
    server.stop.take().unwrap().send(()).unwrap();
    assert!(idle.is_closed().await);
    gate.open.notify_one();
    let reply = busy.reply().await.unwrap();
    assert_eq!((reply.text().as_str(), reply.header("connection")), ("done", Some("close")));
    assert!(busy.is_closed().await);
    server.serving.await.unwrap();
}
