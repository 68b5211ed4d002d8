//! A server for one test, and a client that writes HTTP/1.1 by hand, so that it can also write
//! what no library would.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vimsim::config::{Config, Tls};
use vimsim::connection::Shutdown;
use vimsim::server::{Routes, Server};

/// HTTPS on a free port.
pub(super) fn encrypted() -> Config {
    let mut config = Config::default();
    config.listen.port = 0;
    config
}

/// Plain HTTP on a free port.
pub(super) fn plain() -> Config {
    Config { tls: Tls::Off, ..encrypted() }
}

/// A server that serves until it is dropped.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) url: String,
    pub(super) url_with_login: String,
    pub(super) certificate: Option<Vec<u8>>,
    pub(super) tunnel: Option<u16>,
    pub(super) shutdown: Shutdown,
    /// Tells the server to stop.
    pub(super) stop: Option<oneshot::Sender<()>>,
    /// Ends when the server has.
    pub(super) serving: JoinHandle<()>,
}

pub(super) async fn start(config: Config, routes: impl Into<Routes>) -> Running {
    let server = Server::bind(&config, routes).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    Running {
        address: server.local_addr(),
        url: server.url(),
        url_with_login: server.url_with_login("a:b", "c@d'"),
        certificate: server.certificate().map(<[u8]>::to_vec),
        tunnel: server.tunnel_port(),
        shutdown: server.shutdown(),
        stop: Some(stop),
        serving: tokio::spawn(server.serve(async {
            // A dropped sender stops the server as well.
            let _ = stopped.await;
        })),
    }
}

impl Running {
    pub(super) async fn client(&self) -> Client<TcpStream> {
        Client::to(self.address).await
    }

    /// A TLS client that trusts this server's certificate, and knows it by `name`.
    pub(super) async fn tls(&self, name: &str, alpn: &[&[u8]]) -> Client<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let local = stream.local_addr().unwrap();
        let mut config = self.client_config();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        Client { stream, local, buffer: Vec::new() }
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate.clone().unwrap())).unwrap();
        config_builder().with_root_certificates(roots).with_no_client_auth()
    }
}

pub(super) fn config_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
}

/// One connection.
pub(super) struct Client<S> {
    pub(super) stream: S,
    pub(super) local: SocketAddr,
    buffer: Vec<u8>,
}

impl Client<TcpStream> {
    pub(super) async fn to(address: impl ToSocketAddrs) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let local = stream.local_addr().unwrap();
        Self { stream, local, buffer: Vec::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) fn over(stream: S, local: SocketAddr) -> Self {
        Self { stream, local, buffer: Vec::new() }
    }

    pub(super) async fn get(&mut self, path: &str) -> Reply {
        self.get_with(path, &[]).await
    }

    pub(super) async fn get_with(&mut self, path: &str, headers: &[&str]) -> Reply {
        let head = head("GET", path, headers);
        self.write(head.as_bytes()).await;
        self.reply().await.expect("a reply")
    }

    pub(super) async fn post(&mut self, path: &str, headers: &[&str], body: &[u8]) -> Reply {
        let length = format!("content-length: {}", body.len());
        let head = head("POST", path, &[headers, &[&length]].concat());
        self.write(head.as_bytes()).await;
        self.write(body).await;
        self.reply().await.expect("a reply")
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next reply; `None` when the server closes instead.
    pub(super) async fn reply(&mut self) -> Option<Reply> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if !self.fill().await {
                assert!(self.buffer.is_empty(), "closed within a reply's headers");
                return None;
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, headers, body: Vec::new() };
        reply.body = if reply.header("transfer-encoding") == Some("chunked") {
            self.chunks().await
        } else {
            let length = reply.header("content-length").unwrap_or("0").parse().unwrap();
            self.take(length).await
        };
        Some(reply)
    }

    /// Has the server closed the connection, in whatever manner?
    pub(super) async fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = find(&self.buffer, b"\r\n") {
                    break end;
                }
                assert!(self.fill().await, "closed within a chunked body");
            };
            let size = String::from_utf8(self.take(line + 2).await).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let chunk = self.take(size + 2).await;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return body;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill().await, "closed within a body");
        }
        self.buffer.drain(..length).collect()
    }

    async fn fill(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        let count = self.stream.read(&mut piece).await.unwrap_or(0);
        self.buffer.extend_from_slice(&piece[..count]);
        count > 0
    }
}

/// The lines before a body.
pub(super) fn head(method: &str, path: &str, headers: &[&str]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
