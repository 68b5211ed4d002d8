//! Limits in size and in time. Time is tokio's paused clock: it jumps to the next deadline
//! whenever everybody waits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post, put};
use http_body_util::BodyExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;
use vimsim::config::Config;

use super::client::{encrypted, head, plain, start};
use super::echo;

fn body_limit(bytes: usize) -> Config {
    let mut config = plain();
    config.limits.body = bytes;
    config
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_taken_and_one_byte_more_is_not() {
    let server = start(body_limit(1000), echo()).await;
    let mut client = server.client().await;
    assert_eq!(client.post("/length", &[], &[b'x'; 1000]).await.text(), "1000");
    let reply = client.post("/length", &[], &[b'x'; 1001]).await;
    assert_eq!(reply.status, 413);
    assert!(reply.text().contains("1000 bytes"), "{}", reply.text());
}

#[tokio::test]
async fn a_chunked_body_is_limited_too() {
    let server = start(body_limit(1000), echo()).await;
    let chunk = format!("64\r\n{}\r\n", "x".repeat(100));
    for (chunks, status) in [(10, 200), (11, 413)] {
        let mut client = server.client().await;
        client.write(head("POST", "/length", &["transfer-encoding: chunked"]).as_bytes()).await;
        for _ in 0..chunks {
            client.write(chunk.as_bytes()).await;
        }
        client.write(b"0\r\n\r\n").await;
        assert_eq!(client.reply().await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_client_that_writes_first_and_reads_later_learns_why() {
    // More than fits into the sockets' buffers: an early close would be a reset.
    let server = start(body_limit(12 << 20), echo()).await;
    let mut client = server.client().await;
    let reply = client.post("/length", &[], &vec![b'x'; 20 << 20]).await;
    assert_eq!(reply.status, 413);
}

/// Long requests wait until there is room, or for as long as a body may take; short ones pass.
#[tokio::test(start_paused = true)]
async fn long_requests_wait_for_room() {
    let mut config = plain();
    config.limits.requests = 300 << 10;
    let body_time = config.limits.body_time;
    let go = Arc::new(tokio::sync::Notify::new());
    let until = go.clone();
    let hold = move |body: axum::body::Bytes| async move {
        if body.len() > 1000 {
            until.notified().await;
        }
        body.len().to_string()
    };
    let server = start(config, Router::new().route("/hold", post(hold))).await;
    let (mut first, mut second) = (server.client().await, server.client().await);
    let (long, length) = (vec![b'x'; 200 << 10], format!("content-length: {}", 200 << 10));
    first.write(head("POST", "/hold", &[&length]).as_bytes()).await;
    first.write(&long).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    second.write(head("POST", "/hold", &[&length]).as_bytes()).await;
    second.write(&long).await;
    assert_eq!(server.client().await.post("/hold", &[], b"short").await.text(), "5");
    let begun = Instant::now();
    assert_eq!(second.reply().await.unwrap().status, 503);
    took(begun, body_time);

    // One whose length nobody knows counts as the longest that may be.
    let mut third = server.client().await;
    third.write(head("POST", "/hold", &["transfer-encoding: chunked"]).as_bytes()).await;
    third.write(&[b"19000\r\n", &vec![b'x'; 100 << 10][..], b"\r\n0\r\n\r\n"].concat()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    go.notify_one();
    assert_eq!(first.reply().await.unwrap().text(), (200 << 10).to_string());
    tokio::time::sleep(Duration::from_secs(1)).await;
    go.notify_one();
    assert_eq!(third.reply().await.unwrap().text(), (100 << 10).to_string());
}

#[tokio::test]
async fn a_client_that_asks_first_is_answered_at_once() {
    let server = start(body_limit(1000), echo()).await;
    let mut client = server.client().await;
    let headers = ["content-length: 5000", "expect: 100-continue"];
    client.write(head("POST", "/length", &headers).as_bytes()).await;
    assert_eq!(client.reply().await.unwrap().status, 413);
}

#[tokio::test]
async fn uploads_of_files_are_streamed_without_a_limit() {
    let count = |body: Body| async move {
        let mut body = body;
        let mut sum = 0;
        while let Some(frame) = body.frame().await {
            sum += frame.unwrap().into_data().unwrap().len();
        }
        sum.to_string()
    };
    let server = start(body_limit(1000), Router::new().route("/folder/{*path}", put(count))).await;
    let mut client = server.client().await;
    let length = format!("content-length: {}", 3 << 20);
    client.write(head("PUT", "/folder/disk.vmdk?dcPath=DC0", &[&length]).as_bytes()).await;
    client.write(&vec![0; 3 << 20]).await;
    assert_eq!(client.reply().await.unwrap().text(), (3 << 20).to_string());
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let server = start(plain(), echo()).await;
    let many: Vec<String> = (0..101).map(|n| format!("x-header-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = format!("x-header: {}", "x".repeat(64 << 10));
    for headers in [&many[..], &[&long]] {
        let mut client = server.client().await;
        client.write(head("GET", "/small", headers).as_bytes()).await;
        assert_eq!(client.reply().await.unwrap().status, 431);
    }
}

#[tokio::test]
async fn what_is_not_http_gets_400() {
    let server = start(plain(), echo()).await;
    let mut client = server.client().await;
    client.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await;
    assert_eq!(client.reply().await.unwrap().status, 400);
    assert!(client.is_closed().await);
}

/// Checks that something took as long as it may, give or take the scheduling.
#[track_caller]
fn took(since: Instant, time: Duration) {
    let elapsed = since.elapsed();
    assert!(
        elapsed >= time && elapsed < time + Duration::from_secs(1),
        "{elapsed:?}, not {time:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_is_dropped() {
    let limits = plain().limits;
    for config in [plain(), encrypted()] {
        let server = start(config, echo()).await;
        let begun = Instant::now();
        let mut client = server.client().await;
        assert!(client.is_closed().await);
        took(begun, limits.header_time);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tls_handshake_must_not_dawdle() {
    let config = encrypted();
    let header_time = config.limits.header_time;
    let server = start(config, echo()).await;
    let begun = Instant::now();
    let mut client = server.client().await;
    client.write(b"\x16\x03\x01").await;
    assert!(client.is_closed().await);
    took(begun, header_time);
}

#[tokio::test(start_paused = true)]
async fn headers_must_not_trickle() {
    let config = plain();
    let header_time = config.limits.header_time;
    let server = start(config, echo()).await;
    let mut client = server.client().await;
    assert_eq!(client.get("/small").await.status, 200);
    // The connection has rested; the time runs from the first byte.
    tokio::time::sleep(header_time * 3).await;
    let begun = Instant::now();
    client.write(b"GET /small HTTP/1.1\r\n").await;
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if client.stream.write_all(b"x-slow: 1\r\n").await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(header_time * 2, trickle).await.expect("the server gives up");
    assert!(begun.elapsed() < header_time + Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_body_must_arrive_in_time() {
    let config = plain();
    let body_time = config.limits.body_time;
    let server = start(config, echo()).await;
    let mut client = server.client().await;
    let begun = Instant::now();
    client.write(head("POST", "/echo", &["content-length: 100"]).as_bytes()).await;
    client.write(b"the beginning").await;
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.status, 408, "{}", reply.text());
    took(begun, body_time);
    assert!(client.is_closed().await);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_kept_but_not_for_ever() {
    let config = plain();
    let idle_time = config.limits.idle_time;
    let server = start(config, echo()).await;
    let mut client = server.client().await;
    assert_eq!(client.get("/small").await.status, 200);
    tokio::time::sleep(idle_time - Duration::from_secs(2)).await;
    assert_eq!(client.get("/small").await.status, 200);
    let begun = Instant::now();
    assert!(client.is_closed().await);
    took(begun, idle_time);
}

#[tokio::test(start_paused = true)]
async fn an_idle_http_2_connection_is_kept_as_long() {
    use hyper::client::conn::http2;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let config = encrypted();
    let idle_time = config.limits.idle_time;
    let server = start(config, echo()).await;
    let stream = server.tls("localhost", &[b"h2"]).await.stream;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(connection);
    for _ in 0..2 {
        let request = hyper::Request::get("https://localhost/small").body(String::new()).unwrap();
        assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
        tokio::time::sleep(idle_time - Duration::from_secs(2)).await;
    }
    assert!(!ended.is_finished());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_in_a_handler_is_no_idleness() {
    const LONG: Duration = Duration::from_secs(24 * 60 * 60);
    let wait = get(|| async {
        tokio::time::sleep(LONG).await;
        "at last"
    });
    let server = start(plain(), Router::new().route("/wait", wait)).await;
    let begun = Instant::now();
    assert_eq!(server.client().await.get("/wait").await.text(), "at last");
    took(begun, LONG);
}

#[tokio::test(start_paused = true)]
async fn a_client_must_take_its_reply() {
    let config = plain();
    let send_time = config.limits.send_time;
    let huge = get(|| async { vec![b'x'; 64 << 20] });
    let server = start(config, Router::new().route("/huge", huge)).await;
    let mut client = server.client().await;
    client.write(head("GET", "/huge", &[]).as_bytes()).await;
    tokio::time::sleep(send_time + Duration::from_secs(5)).await;
    let mut taken = 0;
    let mut piece = vec![0; 1 << 20];
    while let Ok(count @ 1..) = tokio::io::AsyncReadExt::read(&mut client.stream, &mut piece).await
    {
        taken += count;
    }
    assert!(taken < 64 << 20, "the whole reply came");
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_waits_for_a_place() {
    let mut config = plain();
    config.limits.connections = 1;
    let server = start(config, echo()).await;
    let mut first = server.client().await;
    assert_eq!(first.get("/small").await.status, 200);
    let mut second = server.client().await;
    second.write(head("GET", "/small", &[]).as_bytes()).await;
    let early = tokio::time::timeout(Duration::from_secs(60), second.reply()).await;
    assert!(early.is_err(), "served beyond the limit");
    drop(first);
    assert_eq!(second.reply().await.unwrap().status, 200);
}
