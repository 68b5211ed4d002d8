//! Taking connections, one task each, until the server stops.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::line::Line;
use super::patient::{Activity, Chatter, Patient};
use super::seldom::Seldom;
use super::stack::{Answerer, Routes, Stack};
use super::tls::Acceptors;
use super::tunnel;
use crate::config::{Config, Limits};
use crate::connection::{Connection, Hangup, Peer, Shutdown};

/// HTTP/2 requests of one connection at a time.
const STREAMS: u32 = 100;

/// How much an HTTP/2 client may send ahead: a whole request, as a rule.
const WINDOW: u32 = 1 << 20;

/// How long to rest when the system has no more file descriptors to give.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// What all connections share.
pub(super) struct Context {
    stack: Arc<Stack>,
    tls: Option<Acceptors>,
    /// The limits of every connection.
    pub(super) limits: Arc<Limits>,
    places: Arc<Semaphore>,
    started: Instant,
    /// In which second memory was given back last.
    relieved: AtomicU64,
    /// The signal to stop.
    pub(super) shutdown: Shutdown,
}

impl fmt::Debug for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Context").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Context {
    pub(super) fn new(config: &Config, routes: Routes, tls: Option<Acceptors>) -> Self {
        let stack = Arc::new(Stack::new(config, routes));
        Self {
            limits: stack.limits.clone(),
            stack,
            tls,
            places: Arc::new(Semaphore::new(config.limits.connections.min(Semaphore::MAX_PERMITS))),
            started: Instant::now(),
            relieved: AtomicU64::new(0),
            shutdown: Shutdown::new(),
        }
    }

    /// A connection has ended, and maybe it was the last of many. The allocator gives back to the
    /// system what was freed when a thread ends, and not by itself; one that has nothing to do
    /// ends some seconds from now.
    fn relieve(&self) {
        let second = self.started.elapsed().as_secs() + 1;
        if self.relieved.swap(second, Ordering::Relaxed) != second {
            drop(tokio::task::spawn_blocking(|| ()));
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

/// By which port a connection came.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    Main,
    Tunnel,
}

/// Held by everything that must have ended before the server has.
type Alive = mpsc::Sender<()>;

/// Ends every connection when the server is dropped in the middle.
struct ForceOnDrop(Shutdown);

impl Drop for ForceOnDrop {
    fn drop(&mut self) {
        self.0.force();
    }
}

/// Serves until told to stop, then waits for the connections, within limits.
pub(super) async fn serve(
    listener: TcpListener,
    tunnel: Option<TcpListener>,
    context: Arc<Context>,
    stop: impl Future<Output = ()>,
) {
    let shutdown = context.shutdown.clone();
    let force = ForceOnDrop(shutdown.clone());
    let (alive, mut ended) = mpsc::channel(1);
    tokio::spawn(accept(listener, Door::Main, context.clone(), alive.clone()));
    if let Some(tunnel) = tunnel {
        tokio::spawn(accept(tunnel, Door::Tunnel, context.clone(), alive.clone()));
    }
    drop(alive);

    tokio::select! {
        () = stop => {}
        () = shutdown.begun() => {}
    }
    shutdown.begin();
    // Nothing is ever sent: the channel ends when its last sender is dropped.
    if timeout(context.limits.grace, ended.recv()).await.is_err() {
        tracing::warn!(grace = ?context.limits.grace, "requests still in flight are dropped");
    }
    drop(force);
    ended.recv().await;
}

/// Takes connections at one door.
async fn accept(listener: TcpListener, door: Door, context: Arc<Context>, alive: Alive) {
    loop {
        let next = async {
            // Only a connection that has a place is taken; the others wait in the backlog.
            let place = context.places.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = context.shutdown.begun() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, address)) => {
                let work = connection(stream, address, door, context.clone(), alive.clone(), place);
                tokio::spawn(work);
            }
            Err(error) if is_about_connection(&error) => {
                tracing::debug!(%error, "a connection went before it was accepted");
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Is an error of `accept` about one connection only, and not about the listener?
fn is_about_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// One connection from its first byte to its last. Each kind of connection is
/// boxed: there are very many that rest, and none needs the room of another.
async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    door: Door,
    context: Arc<Context>,
    alive: Alive,
    place: Option<OwnedSemaphorePermit>,
) {
    let hangup = Hangup::default();
    let over = {
        let (shutdown, hangup) = (context.shutdown.clone(), hangup.clone());
        Seldom::new(async move {
            tokio::select! {
                () = shutdown.forced() => {}
                () = hangup.asked() => {}
            }
        })
    };
    let outcome = tokio::select! {
        biased;
        () = over => Ok(()),
        outcome = open(stream, address, door, &context, &hangup) => outcome,
    };
    if let Err(error) = outcome {
        tracing::debug!(%address, %error, "connection ended");
    }
    context.relieve();
    drop((place, alive));
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn open(
    stream: TcpStream,
    address: SocketAddr,
    door: Door,
    context: &Arc<Context>,
    hangup: &Hangup,
) -> Outcome {
    // Replies are written whole: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    match (door, &context.tls) {
        (Door::Tunnel, _) => {
            Box::pin(tunnel::serve(stream, address, hangup, context.clone())).await
        }
        (Door::Main, None) => {
            let line = Line::new(stream, hangup.clone());
            Box::pin(plain(line, address, hangup, context)).await
        }
        (Door::Main, Some(tls)) => {
            let first = expect_tls(stream, context.limits.header_time);
            let Some(stream) = Box::pin(first).await? else { return Ok(()) };
            let line = Line::new(stream, hangup.clone());
            Box::pin(encrypted(line, address, &tls.main, hangup, context)).await
        }
    }
}

/// Serves what came through the tunnel.
pub(super) async fn tunnelled<S>(
    stream: S,
    address: SocketAddr,
    hangup: &Hangup,
    context: &Context,
) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match &context.tls {
        Some(tls) => encrypted(stream, address, &tls.tunnel, hangup, context).await,
        None => plain(stream, address, hangup, context).await,
    }
}

async fn plain<S>(stream: S, address: SocketAddr, hangup: &Hangup, context: &Context) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let peer = Peer { address, tls: false, certificate: None };
    http(stream, peer, Protocol::Http1, hangup, context).await
}

async fn encrypted<S>(
    stream: S,
    address: SocketAddr,
    acceptor: &TlsAcceptor,
    hangup: &Hangup,
    context: &Context,
) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = timeout(context.limits.header_time, acceptor.accept(stream));
    let stream = tokio::select! {
        stream = handshake => stream??,
        () = context.shutdown.begun() => return Ok(()),
    };
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let peer =
        Peer { address, tls: true, certificate: certificate.map(|leaf| leaf.as_ref().into()) };
    let protocol = match session.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    http(stream, peer, protocol, hangup, context).await
}

enum Protocol {
    Http1,
    Http2,
}

async fn http<S>(
    stream: S,
    peer: Peer,
    protocol: Protocol,
    hangup: &Hangup,
    context: &Context,
) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &context.limits;
    let activity = Arc::new(Activity::new());
    let connection =
        Connection { peer, shutdown: context.shutdown.clone(), hangup: hangup.clone() };
    let patient = |chatter| Patient::new(stream, activity.clone(), chatter, limits);
    let answerer = |connection| Answerer::new(context.stack.clone(), connection, activity.clone());
    // The protocol is known from TLS, so the library need not guess it from the first bytes, for
    // which it would wait without a limit.
    match protocol {
        Protocol::Http1 => {
            let io = TokioIo::new(patient(Chatter::Never));
            let connection = http1::Builder::new()
                .header_read_timeout(None)
                .max_headers(limits.headers)
                .max_header_size(limits.header_bytes)
                .serve_connection(io, answerer(connection))
                .with_upgrades();
            let ask = http1::UpgradeableConnection::graceful_shutdown;
            Box::pin(finish(connection, ask, context)).await
        }
        Protocol::Http2 => {
            let header_bytes = u32::try_from(limits.header_bytes).unwrap_or(u32::MAX);
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(header_bytes)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .serve_connection(TokioIo::new(patient(Chatter::Allowed)), answerer(connection));
            let ask = http2::Connection::graceful_shutdown;
            Box::pin(finish(connection, ask, context)).await
        }
    }
}

/// Runs a connection to its end; when the server stops, asks it to end after what it is doing.
async fn finish<C>(connection: C, ask: impl Fn(Pin<&mut C>), context: &Context) -> Outcome
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let shutdown = context.shutdown.clone();
    let begun = Seldom::new(async move { shutdown.begun().await });
    tokio::select! {
        biased;
        outcome = connection.as_mut() => return Ok(outcome?),
        () = begun => {}
    }
    ask(connection.as_mut());
    Ok(connection.await?)
}

/// The first byte of every TLS connection: a handshake record.
const HANDSHAKE: u8 = 0x16;

/// Looks whether the client speaks TLS; a client that speaks plain HTTP is told so.
async fn expect_tls(stream: TcpStream, time: Duration) -> io::Result<Option<TcpStream>> {
    let mut first = [0];
    let seen = timeout(time, stream.peek(&mut first)).await??;
    match first {
        _ if seen == 0 => Ok(None),
        [HANDSHAKE] => Ok(Some(stream)),
        [letter] if letter.is_ascii_uppercase() => {
            // Within a short time, or not at all.
            let _ = timeout(Duration::from_secs(1), refuse_plain(stream)).await;
            Ok(None)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "neither TLS nor HTTP")),
    }
}

async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    const TEXT: &str = "This port speaks HTTPS: use an https:// URL, or start with -tls=false.\n";
    let reply = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{TEXT}",
        TEXT.len()
    );
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await?;
    // Bytes left unread would turn the close into a reset, and the reply would be lost.
    let mut rest = [0; 4096];
    for _ in 0..64 {
        if stream.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}
