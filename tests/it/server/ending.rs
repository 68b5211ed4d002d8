//! The orderly end: what is under way finishes, what waits is told, what hangs is dropped.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use vimsim::connection::Shutdown;

use super::client::{encrypted, head, plain, start};
use super::echo;

/// A handler that says when it has begun, and ends when told.
struct Gate {
    entered: Notify,
    open: Notify,
}

fn gate() -> (Arc<Gate>, Router) {
    let gate = Arc::new(Gate { entered: Notify::new(), open: Notify::new() });
    let handler = {
        let gate = gate.clone();
        move || async move {
            gate.entered.notify_one();
            gate.open.notified().await;
            "done"
        }
    };
    (gate, Router::new().route("/work", get(handler)))
}

#[tokio::test]
async fn a_request_in_flight_ends_and_then_the_server() {
    let (gate, routes) = gate();
    let mut server = start(plain(), routes).await;
    let mut idle = server.client().await;
    let mut busy = server.client().await;
    busy.write(head("GET", "/work", &[]).as_bytes()).await;
    gate.entered.notified().await;

    server.stop.take().unwrap().send(()).unwrap();
    assert!(idle.is_closed().await, "idle connections are closed at once");
    assert!(TcpStream::connect(server.address).await.is_err(), "no more connections");
    assert!(!server.serving.is_finished());

    gate.open.notify_one();
    let reply = busy.reply().await.unwrap();
    assert_eq!((reply.status, reply.text().as_str()), (200, "done"));
    assert!(busy.is_closed().await);
    server.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiting_handler_hears_of_the_end() {
    let wait = |Extension(shutdown): Extension<Shutdown>| async move {
        tokio::select! {
            () = shutdown.begun() => "the server stops",
            () = tokio::time::sleep(Duration::from_secs(3600)) => "nothing happened",
        }
    };
    let server = start(encrypted(), Router::new().route("/wait", get(wait))).await;
    let mut client = server.tls("localhost", &[]).await;
    client.write(head("GET", "/wait", &[]).as_bytes()).await;
    assert!(timeout(Duration::from_secs(60), client.reply()).await.is_err());
    server.shutdown.begin();
    assert_eq!(client.reply().await.unwrap().text(), "the server stops");
    server.serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_dropped_after_the_grace_time() {
    let (gate, routes) = gate();
    let config = plain();
    let grace = config.limits.grace;
    let server = start(config, routes).await;
    let mut client = server.client().await;
    client.write(head("GET", "/work", &[]).as_bytes()).await;
    gate.entered.notified().await;
    let begun = Instant::now();
    server.shutdown.begin();
    assert!(client.is_closed().await);
    server.serving.await.unwrap();
    let elapsed = begun.elapsed();
    assert!(elapsed >= grace && elapsed < grace + Duration::from_secs(1), "{elapsed:?}");
}

#[tokio::test]
async fn a_dropped_server_lets_go_of_its_connections() {
    let (gate, routes) = gate();
    let server = start(plain(), routes).await;
    let mut client = server.client().await;
    client.write(head("GET", "/work", &[]).as_bytes()).await;
    gate.entered.notified().await;
    server.serving.abort();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_request_whose_client_goes_is_cancelled() {
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (entered, dropped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let handler = {
        let (entered, dropped) = (entered.clone(), dropped.clone());
        move || async move {
            let _told = Told(dropped);
            entered.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let server = start(plain(), echo().route("/wait", get(handler))).await;
    let mut client = server.client().await;
    client.write(head("GET", "/wait", &[]).as_bytes()).await;
    entered.notified().await;
    drop(client);
    dropped.notified().await;
}
