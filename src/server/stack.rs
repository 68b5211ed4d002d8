//! What stands between HTTP and the routes: panics, compression, and the body within its limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, HeaderMap,
};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::{Layer, Service, ServiceBuilder, ServiceExt as _};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate as _, SizeAbove};
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::timeout::{TimeoutBody, TimeoutError};

use super::patient::{Activity, Busy};
use crate::config::{Config, Limits};
use crate::connection::Connection;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The routes with the layers around them.
type Layered = tower::util::BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
/// What is worth compressing.
type Compression = CompressionLayer<
    And<And<And<SizeAbove, NotForContentType>, NotForContentType>, NotForContentType>,
>;

/// A reply in the making.
pub type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What answers requests: routes, and perhaps a function beside them for the calls that most
/// requests are.
pub struct Routes {
    router: axum::Router,
    calls: Option<Calls>,
}

type Answer = dyn Fn(&Connection, HeaderMap, Bytes) -> Answering + Send + Sync;

/// `POST`s to some paths, as a function of their connection, headers and body.
struct Calls {
    paths: &'static [&'static str],
    answer: Box<Answer>,
}

impl From<axum::Router> for Routes {
    fn from(router: axum::Router) -> Self {
        Self { router, calls: None }
    }
}

impl Routes {
    /// Has `POST`s to `paths` answered by a function where that is all that is to be done. The
    /// routes must answer them as well: they get those that need more, to be decompressed first
    /// for example.
    #[must_use]
    pub fn with_calls(
        self,
        paths: &'static [&'static str],
        answer: impl Fn(&Connection, HeaderMap, Bytes) -> Answering + Send + Sync + 'static,
    ) -> Self {
        Self { calls: Some(Calls { paths, answer: Box::new(answer) }), ..self }
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Routes").field("router", &self.router).finish_non_exhaustive()
    }
}

/// Replies shorter than this are sent as they are: compressing them saves no packet.
const WORTH_COMPRESSING: u64 = 1024;

/// Where files go up. They are handed on as they come, however long they are.
const UPLOADS: [&str; 3] = ["/folder/", "/nfc/", "/guestFile"];

/// Bodies up to this length are read as they come: together they cannot be more than there are
/// requests at a time.
const SHORT: usize = 64 << 10;

/// Bodies up to this length are copied out of the connection's buffer, which is larger: a request
/// may wait for long, and nothing else may be kept by it.
const SMALL: usize = 4 << 10;

/// How long a refused body is still taken, so that the client gets to read why.
const LINGER: Duration = Duration::from_secs(2);

/// The routes, ready to be asked.
pub(super) struct Stack {
    layered: Layered,
    calls: Option<Calls>,
    compression: Compression,
    room: Room,
    /// The limits of every connection.
    pub(super) limits: Arc<Limits>,
}

impl Stack {
    /// Puts the common layers around the routes.
    pub(super) fn new(config: &Config, routes: Routes) -> Self {
        let limits = Arc::new(config.limits.clone());
        let compression = CompressionLayer::new()
            .gzip(config.gzip)
            // Clients are near: the quickest level saves most of the bytes at a third of the time.
            .quality(CompressionLevel::Fastest)
            .compress_when(
                SizeAbove::new(WORTH_COMPRESSING)
                    .and(NotForContentType::IMAGES)
                    .and(NotForContentType::SSE)
                    .and(NotForContentType::const_new("application/octet-stream")),
            );
        let room = Room::new(limits.requests);
        let service = ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(Body::new))
            .layer(CatchPanicLayer::custom(|_| panicked()))
            .layer(compression.clone())
            .layer(RequestDecompressionLayer::new())
            .layer(GatherLayer { room: room.clone(), limits: limits.clone() })
            // The limits here are the only ones: axum's own would be 2 MB.
            .service(routes.router.layer(DefaultBodyLimit::disable()));
        Self { layered: Layered::new(service), calls: routes.calls, compression, room, limits }
    }

    /// Whether a request is a plain call: one that needs no route, and no layer but that which
    /// gathers its body.
    fn is_plain(&self, request: &Request<Incoming>) -> bool {
        request.method() == Method::POST
            && !request.headers().contains_key(CONTENT_ENCODING)
            && self.calls.as_ref().is_some_and(|it| it.paths.contains(&request.uri().path()))
    }

    /// Answers a plain call.
    async fn plain(&self, from: &Connection, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let accepts = parts.headers.get(ACCEPT_ENCODING).cloned();
        let expects = parts.headers.contains_key(EXPECT);
        // Kept until the call is answered.
        let mut held = None;
        let reply = match gather(body, &self.limits, &self.room, &mut held, expects).await {
            Ok(body) => {
                let made = guarded(async { self.call(from, parts.headers, body).await });
                made.await.unwrap_or_else(|_| panicked())
            }
            Err(refusal) => {
                tracing::warn!(uri = %parts.uri, ?refusal, "a request's body was refused");
                refusal.response(&self.limits)
            }
        };
        drop(held);
        self.compressed(accepts, reply).await
    }

    /// Answers a `POST` past the routes.
    fn call(&self, from: &Connection, headers: HeaderMap, body: Bytes) -> Answering {
        match &self.calls {
            Some(calls) => (calls.answer)(from, headers, body),
            None => Box::pin(async { StatusCode::NOT_FOUND.into_response() }),
        }
    }

    /// Answers any other request, by the routes and all layers around them.
    async fn routed(&self, from: &Connection, mut request: Request<Incoming>) -> Response<Body> {
        let Connection { peer, shutdown, hangup } = from.clone();
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo::<SocketAddr>(peer.address));
        extensions.insert(peer);
        extensions.insert(shutdown);
        extensions.insert(hangup);
        match self.layered.clone().oneshot(normalize_encoding(request).map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Compresses a reply that did not come through the layers, if the client accepts that and
    /// it is worth it.
    async fn compressed(
        &self,
        accepts: Option<HeaderValue>,
        reply: Response<Body>,
    ) -> Response<Body> {
        let size = reply.body().size_hint().exact();
        let Some(accepts) = accepts.filter(|_| size.is_none_or(|it| it >= WORTH_COMPRESSING))
        else {
            return reply;
        };
        let mut request = Request::new(());
        request.headers_mut().insert(ACCEPT_ENCODING, accepts);
        let mut reply = Some(reply);
        let there = tower::service_fn(move |_: Request<()>| {
            std::future::ready(Ok::<_, Infallible>(reply.take().unwrap_or_default()))
        });
        match Box::pin(self.compression.layer(there).oneshot(request)).await {
            Ok(reply) => reply.map(Body::new),
            Err(never) => match never {},
        }
    }
}

/// Answers one request of a connection.
async fn answer(
    line: Answerer,
    request: Request<Incoming>,
    busy: Busy,
) -> Result<Response<Counted>, Infallible> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let started = tracing::enabled!(tracing::Level::DEBUG).then(tokio::time::Instant::now);
    let response = if line.stack.is_plain(&request) {
        line.stack.plain(&line.connection, request).await
    } else {
        Box::pin(line.stack.routed(&line.connection, request)).await
    };

    let status = response.status().as_u16();
    if response.extensions().get::<Panicked>().is_some() {
        tracing::error!(%method, %uri, "a request handler panicked; answered 500");
    } else if let Some(started) = started {
        tracing::debug!(%method, %uri, status, elapsed = ?started.elapsed(), "request");
    }
    Ok(response.map(|body| Counted { body, _busy: busy }))
}

/// A reply's body, which keeps its request counted as busy until it is sent.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Marks the reply to a request whose handler panicked.
#[derive(Clone, Copy)]
struct Panicked;

/// The last resort, for what the front ends do not catch themselves. Where the panic happened is
/// logged by the panic hook, the only one to know.
fn panicked() -> Response<Body> {
    let mut response =
        (StatusCode::INTERNAL_SERVER_ERROR, "vimsim met an internal error; its log says where.\n")
            .into_response();
    response.extensions_mut().insert(Panicked);
    response
}

/// The result of some work, or what it panicked with.
async fn guarded<T>(work: impl Future<Output = T>) -> std::thread::Result<T> {
    let mut work = pin!(work);
    std::future::poll_fn(move |cx| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Content codings are named without regard to case, and `x-gzip` is an old name of `gzip`; the
/// layer that decompresses knows only the plain name.
fn normalize_encoding<B>(mut request: Request<B>) -> Request<B> {
    if let Some(encoding) = request.headers_mut().get_mut(CONTENT_ENCODING) {
        let name = encoding.as_bytes();
        if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
            *encoding = HeaderValue::from_static("gzip");
        } else if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            *encoding = HeaderValue::from_static("identity");
        }
    }
    request
}

/// Why a request's body was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    TooLarge,
    TooSlow,
    Broken,
    /// Others take all the room there is.
    NoRoom,
}

impl Refusal {
    fn response(self, limits: &Limits) -> Response<Body> {
        let (status, text) = match self {
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("The request's body is larger than {} bytes.\n", limits.body),
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                format!("The request's body did not arrive within {:?}.\n", limits.body_time),
            ),
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "The request's body cannot be read: it is cut short, or not valid gzip.\n".into(),
            ),
            Self::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is at work on as many long requests as it may be.\n".into(),
            ),
        };
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Gathers request bodies within the limits before the routes see them.
#[derive(Clone)]
struct GatherLayer {
    room: Room,
    limits: Arc<Limits>,
}

/// The room for long bodies, in KiB.
#[derive(Clone)]
struct Room {
    left: Arc<Semaphore>,
    all: u32,
}

impl Room {
    fn new(bytes: usize) -> Self {
        let all = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).max(1);
        Self { left: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for room for so many bytes, or for all room there is if that is less; first come,
    /// first served.
    async fn take(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Refusal> {
        let wanted = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.all);
        self.left.clone().acquire_many_owned(wanted).await.map_err(|_| Refusal::NoRoom)
    }
}

impl Layer<axum::Router> for GatherLayer {
    type Service = Gather;

    fn layer(&self, routes: axum::Router) -> Gather {
        Gather { routes, room: self.room.clone(), limits: self.limits.clone() }
    }
}

#[derive(Clone)]
struct Gather {
    routes: axum::Router,
    room: Room,
    limits: Arc<Limits>,
}

impl<B> Service<Request<B>> for Gather
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { routes, room, limits } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let uploads = UPLOADS.iter().any(|prefix| parts.uri.path().starts_with(prefix));
            // Kept until the request is answered.
            let mut held = None;
            let body = if uploads {
                Body::new(TimeoutBody::new(limits.body_time, body))
            } else {
                let expects = parts.headers.contains_key(EXPECT);
                match gather(body, &limits, &room, &mut held, expects).await {
                    Ok(bytes) => Body::from(bytes),
                    Err(refusal) => {
                        tracing::warn!(
                            method = %parts.method, uri = %parts.uri, ?refusal,
                            "a request's body was refused"
                        );
                        return Ok(refusal.response(&limits));
                    }
                }
            };
            let response = routes.oneshot(Request::from_parts(parts, body)).await;
            drop(held);
            response
        })
    }
}

/// Reads a body to its end, once there is room for it if it is long; `held` gets that. `expects`
/// says that the client waits for a word before it sends.
async fn gather<B>(
    body: B,
    limits: &Limits,
    room: &Room,
    held: &mut Option<OwnedSemaphorePermit>,
    expects: bool,
) -> Result<Bytes, Refusal>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let mut body = pin!(body);
    let announced = body.size_hint();
    let (least, exact) = (announced.lower(), announced.exact());
    let outcome = if least > limits.body as u64 {
        Err(Refusal::TooLarge)
    } else {
        if least > SHORT as u64 {
            let taken = timeout(limits.body_time, room.take(least)).await;
            *held = Some(taken.map_err(|_| Refusal::NoRoom)??);
        }
        match timeout(limits.body_time, read(body.as_mut(), least, limits.body, room, held)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Refusal::TooSlow),
        }
    };
    if outcome == Err(Refusal::TooLarge) && !expects {
        // What came compressed has no exact length: only a little is worth decompressing in vain.
        linger(body, exact.unwrap_or(limits.body as u64)).await;
    }
    outcome
}

async fn read<B>(
    mut body: Pin<&mut B>,
    announced: u64,
    limit: usize,
    room: &Room,
    held: &mut Option<OwnedSemaphorePermit>,
) -> Result<Bytes, Refusal>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    // Most bodies come in one piece, which is handed on without a copy.
    let Some(first) = next(body.as_mut()).await? else { return Ok(Bytes::new()) };
    if first.len() > limit {
        return Err(Refusal::TooLarge);
    }
    let Some(second) = next(body.as_mut()).await? else {
        return Ok(if first.len() > SMALL { first } else { Bytes::copy_from_slice(&first) });
    };
    // What is announced is only believed so far: memory is for bytes that came.
    let expected = usize::try_from(announced).unwrap_or(limit).min(1 << 20);
    let mut whole = Vec::with_capacity(expected.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut piece = Some(second);
    while let Some(bytes) = piece {
        if bytes.len() > limit - whole.len() {
            return Err(Refusal::TooLarge);
        }
        if held.is_none() && whole.len() + bytes.len() > SHORT {
            // Nobody said how long it is going to be.
            *held = Some(room.take(limit as u64).await?);
        }
        whole.extend_from_slice(&bytes);
        piece = next(body.as_mut()).await?;
    }
    Ok(whole.into())
}

/// The next piece of data, if there is one.
async fn next<B>(mut body: Pin<&mut B>) -> Result<Option<Bytes>, Refusal>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    loop {
        match std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                // Trailers say nothing to us.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(error)) => {
                let error: BoxError = error.into();
                tracing::debug!(%error, "reading a request's body");
                return Err(if error.is::<TimeoutError>() {
                    Refusal::TooSlow
                } else {
                    Refusal::Broken
                });
            }
        }
    }
}

/// Takes and drops more of a refused body. A client that is still writing when the
/// connection closes would see it reset and never read the reply.
async fn linger<B>(mut body: Pin<&mut B>, most: u64)
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let drain = async {
        let mut left = most;
        while let Ok(Some(bytes)) = next(body.as_mut()).await {
            match left.checked_sub(bytes.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Either way the reply follows.
    let _ = timeout(LINGER, drain).await;
}

/// Everything a connection needs to answer its requests by the library.
#[derive(Clone)]
pub(super) struct Answerer {
    stack: Arc<Stack>,
    connection: Arc<Connection>,
    activity: Arc<Activity>,
}

impl Answerer {
    pub(super) fn new(stack: Arc<Stack>, connection: Connection, activity: Arc<Activity>) -> Self {
        Self { stack, connection: Arc::new(connection), activity }
    }
}

impl hyper::service::Service<Request<Incoming>> for Answerer {
    type Response = Response<Counted>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Counted>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let busy = self.activity.begin();
        Box::pin(answer(self.clone(), request, busy))
    }
}
