//! What the server tells the front ends about a connection, as request extensions: who is at the
//! other end ([`Peer`]), that the server wants to stop ([`Shutdown`]), and how to end the
//! connection before its time ([`Hangup`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, watch};

/// A connection, as the requests that come by it see it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: Peer,
    /// That the server wants to stop.
    pub shutdown: Shutdown,
    /// How to end the connection before its time.
    pub hangup: Hangup,
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The client's address.
    pub address: SocketAddr,
    /// Is the connection encrypted?
    pub tls: bool,
    /// The certificate that the client identified itself with, in DER. It is proven to hold the
    /// key; nobody has checked who signed it.
    pub certificate: Option<Arc<[u8]>>,
}

/// How far the server is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    Closing,
    Closed,
}

/// Tells everybody who waits that the server wants to stop. Clones are handles of one signal.
///
/// A handler that may wait for long selects on [`Shutdown::begun`] and answers early.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<Phase>>);

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// A signal that has not been given.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Open)))
    }

    /// Asks everybody to finish.
    pub fn begin(&self) {
        self.advance(Phase::Closing);
    }

    /// Asks everybody to drop what they hold, now.
    pub fn force(&self) {
        self.advance(Phase::Closed);
    }

    /// Has the server begun to stop?
    pub fn is_begun(&self) -> bool {
        *self.0.borrow() >= Phase::Closing
    }

    /// Waits until the server begins to stop.
    pub async fn begun(&self) {
        self.reached(Phase::Closing).await;
    }

    /// Waits until nothing is waited for any longer.
    pub async fn forced(&self) {
        self.reached(Phase::Closed).await;
    }

    fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }

    async fn reached(&self, phase: Phase) {
        // An error means that the sender is gone, but we hold it ourselves.
        let _ = self.0.subscribe().wait_for(|now| *now >= phase).await;
    }
}

/// How a connection ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangupKind {
    /// It is closed.
    Close,
    /// It is reset: the other end gets an error instead of an end.
    Reset,
}

/// Lets a handler end the connection that its request came by. Clones are
/// handles of one connection.
#[derive(Clone, Debug, Default)]
pub struct Hangup(Arc<HangupState>);

#[derive(Debug, Default)]
struct HangupState {
    asked: Notify,
    reset: AtomicBool,
}

impl Hangup {
    /// Ends the connection as soon as the caller waits for something.
    pub fn ask(&self, kind: HangupKind) {
        self.0.reset.store(kind == HangupKind::Reset, Ordering::Release);
        // A permit is kept for whoever waits next.
        self.0.asked.notify_one();
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// Whether the connection is to be reset.
    pub fn is_reset(&self) -> bool {
        self.0.reset.load(Ordering::Acquire)
    }
}
