//! The floor: the same bytes, served by a handler that does nothing else.
//!
//! What vimsim could reach at the most on this machine with the same HTTP
//! stack. It runs as a process of its own, as the servers do.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;

use crate::driver::Server;

/// The variable that makes the benchmark's program the floor; it names the file
/// with the reply's body.
pub(crate) const FLOOR: &str = "VIMSIM_BENCH_FLOOR";

/// Starts a process whose every reply has the body `bytes`.
pub(crate) fn start(bytes: &[u8]) -> Server {
    let file = std::env::temp_dir().join(format!("vimsim-floor-{}", std::process::id()));
    std::fs::write(&file, bytes).expect("a file for the floor");
    let own = std::env::current_exe().expect("the benchmark's own path");
    let server = Server::spawn(Command::new(own).env(FLOOR, &file));
    std::fs::remove_file(&file).expect("the floor has read its file");
    server
}

/// Serves the file's bytes to whoever asks for anything, until killed.
pub(crate) fn serve(file: &Path) {
    let body = Bytes::from(std::fs::read(file).expect("the reply of the floor"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("worker threads").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        println!("http://floor@{address}/");
        std::io::stdout().flush().expect("the line is read");
        let answer = move |_request: Bytes| {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, "text/xml; charset=utf-8")], body) }
        };
        let routes = axum::Router::new().fallback(answer);
        let nodelay = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(nodelay, routes).await.expect("serving");
    });
}
