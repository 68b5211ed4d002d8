//! The HTTP server: listening, TLS, limits and an orderly end.
//!
//! A [`Server`] takes the routes of the front ends and puts around them what is the same for all:
//!
//! ```text
//! listener ── TLS ── patient (time limits of the connection) ── HTTP/1.1 or 2
//!                                                                   │
//!            ┌───────────────── plain calls ──────────────────────────┤ all else
//!            ▼                                                         ▼
//!   body gathered ── call ── gzip      panics become 500 ── gzip of replies ── gzip of requests
//!                                                          ── body gathered ── routes
//! ```
//!
//! Every request carries, as extensions, the [`Peer`](crate::connection::Peer), axum's
//! `ConnectInfo<SocketAddr>`, the [`Shutdown`] signal, and the
//! [`Hangup`](crate::connection::Hangup) of its connection; its body is complete and decompressed
//! before a handler runs, save for uploads of files.

mod accept;
mod line;
mod patient;
mod seldom;
mod stack;
mod tls;
mod tunnel;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};

pub use stack::{Answering, Routes};

use crate::config::{Config, ListenAddress, Tls};
use crate::connection::Shutdown;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The host to listen on has no address.
    #[error("cannot resolve the listen address {address}: {source}")]
    Resolve {
        /// What was to be resolved.
        address: ListenAddress,
        /// What the resolver says.
        source: io::Error,
    },
    /// The port cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// What was to be bound.
        address: ListenAddress,
        /// What the system says.
        source: io::Error,
    },
    /// A file with a certificate or a key cannot be read.
    #[error("cannot read the {what} from {}: {reason}", path.display())]
    Pem {
        /// Certificate or private key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate and the key do not go together, or are of a kind that TLS cannot use.
    #[error("cannot use the certificate {} with the key {}: {source}", certificate.display(), key.display())]
    Certificate {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS says.
        source: rustls::Error,
    },
    /// No certificate could be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(String),
}

/// A server with its port, ready to serve.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tunnel: Option<TcpListener>,
    address: SocketAddr,
    certificate: Option<Arc<[u8]>>,
    context: Arc<accept::Context>,
}

impl Server {
    /// Takes the port and prepares TLS. Connections are accepted from here on (by the system) and
    /// answered from [`Server::serve`] on.
    pub async fn bind(config: &Config, routes: impl Into<Routes>) -> Result<Self, ServerError> {
        let listener = listen(&config.listen).await?;
        let bound = |source| ServerError::Bind { address: config.listen.clone(), source };
        let address = listener.local_addr().map_err(bound)?;
        let tunnel = match config.tunnel {
            Some(port) => {
                Some(listen(&ListenAddress { host: address.ip().to_string(), port }).await?)
            }
            None => None,
        };
        let identity = match &config.tls {
            Tls::Off => None,
            Tls::SelfSigned => Some(tls::Identity::self_signed(address.ip(), &config.listen.host)?),
            Tls::Files { certificate, key } => Some(tls::Identity::from_files(certificate, key)?),
        };
        let certificate = identity.as_ref().and_then(tls::Identity::leaf);
        let tls = identity.map(tls::Identity::into_acceptors).transpose()?;
        let context = accept::Context::new(config, routes.into(), tls);
        Ok(Self { listener, tunnel, address, certificate, context: Arc::new(context) })
    }

    /// The address that the server listens on, with the port that was picked.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The port of the SDK tunnel, if there is one.
    pub fn tunnel_port(&self) -> Option<u16> {
        self.tunnel.as_ref()?.local_addr().ok().map(|address| address.port())
    }

    /// The server's certificate in DER, for clients that shall trust it.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// The URL of the SDK, as a client would write it. A server on all interfaces names the one
    /// that leads out of the machine.
    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// The URL of the SDK with a login in it: what GOVC_URL wants.
    pub fn url_with_login(&self, username: &str, password: &str) -> String {
        self.url_with(&format!("{}:{}@", percent_encode(username), percent_encode(password)))
    }

    /// Scheme, host and port, as a client would write them.
    pub fn base_url(&self) -> String {
        self.base_with("")
    }

    /// The URL without a path, with a login in it.
    pub fn base_url_with_login(&self, username: &str, password: &str) -> String {
        self.base_with(&format!("{}:{}@", percent_encode(username), percent_encode(password)))
    }

    fn base_with(&self, login: &str) -> String {
        let scheme = if self.context.is_tls() { "https" } else { "http" };
        let address = SocketAddr::new(reachable(self.address.ip()), self.address.port());
        format!("{scheme}://{login}{address}")
    }

    fn url_with(&self, login: &str) -> String {
        let tunnel = match self.tunnel_port() {
            Some(port) => format!("?GOVMOMI_TUNNEL_PROXY_PORT={port}"),
            None => String::new(),
        };
        format!("{}/sdk{tunnel}", self.base_with(login))
    }

    /// The signal that handlers see when the server stops; giving it stops the server.
    pub fn shutdown(&self) -> Shutdown {
        self.context.shutdown.clone()
    }

    /// Serves until `stop` is ready or the [`Shutdown`] signal is given; then accepts no more,
    /// lets requests in flight end, and returns after the grace time at the latest. Dropping the
    /// future ends everything at once.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        accept::serve(self.listener, self.tunnel, self.context, stop).await;
    }
}

/// Connections that may wait until they are accepted. The system cuts it to its own maximum.
const BACKLOG: u32 = 4096;

async fn listen(address: &ListenAddress) -> Result<TcpListener, ServerError> {
    let candidates: Vec<SocketAddr> = if address.host.is_empty() {
        // All interfaces: both families where there are two.
        [IpAddr::from(Ipv6Addr::UNSPECIFIED), IpAddr::from(Ipv4Addr::UNSPECIFIED)]
            .map(|ip| SocketAddr::new(ip, address.port))
            .to_vec()
    } else {
        let mut found: Vec<SocketAddr> =
            tokio::net::lookup_host((address.host.as_str(), address.port))
                .await
                .map_err(|source| ServerError::Resolve { address: address.clone(), source })?
                .collect();
        // As Go does: what clients make of a name is more often an IPv4 address.
        found.sort_by_key(SocketAddr::is_ipv6);
        found
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in candidates {
        match listen_on(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(ServerError::Bind { address: address.clone(), source: last })
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server gets its port back at once; elsewhere the option means something else.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// An address that reaches a server listening on `ip`, which may be "all interfaces".
fn reachable(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    // Connecting a datagram socket sends nothing: it only asks the routing table. The address
    // is one reserved for documentation.
    let route = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    match route() {
        Ok(local) if !local.ip().is_unspecified() => local.ip(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}

/// Encodes what a URL's user part cannot hold as it is; the shell's special characters with it,
/// because the URL is printed for `eval`.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
