//! Time limits of a connection, below HTTP: how long the server waits for a request to begin, for
//! its headers, and for a client to take its reply.
//!
//! The HTTP library's own limit runs from the end of the last reply, so that it would close pooled
//! connections that merely rest. [`Patient`] looks at the bytes instead:
//!
//! ```text
//!            first byte               request complete
//!   Fresh ─────────────▶ Head ─────────────────────────▶ (busy: the handler's time)
//!   header_time          header_time     ▲                │ reply done
//!                          ▲             │                ▼
//!                          └─────────────┴── first byte ─ Idle: idle_time
//! ```

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::Limits;

/// What a connection's requests tell the layer below: how many are being answered, and that
/// there have been some.
#[derive(Debug)]
pub(super) struct Activity {
    busy: AtomicUsize,
    begun: AtomicUsize,
    opened: Instant,
    /// When the last request was answered, in milliseconds since the connection was opened.
    rested: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            busy: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            opened: Instant::now(),
            rested: AtomicU64::new(0),
        }
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    fn idle_since(&self) -> Instant {
        self.opened + Duration::from_millis(self.rested.load(Ordering::Relaxed))
    }

    /// Marks a request as being answered until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        // Both sides run in the connection's own task for HTTP/1, and for HTTP/2 a moment's
        // delay is harmless: no ordering is needed beyond the counters' own.
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }
}

/// A request is being answered.
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        let elapsed = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.rested.store(elapsed, Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Does every byte between requests begin one?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chatter {
    /// HTTP/1: yes.
    Never,
    /// HTTP/2: no, there are pings, settings and windows.
    Allowed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// For the first byte of the connection.
    Fresh,
    /// For the rest of a request's headers.
    Head,
    /// For the next request.
    Idle,
}

/// A stream that fails with `TimedOut` when the other end takes too long.
#[derive(Debug)]
pub(super) struct Patient<S> {
    inner: S,
    activity: Arc<Activity>,
    chatter: Chatter,
    header_time: Duration,
    idle_time: Duration,
    send_time: Duration,
    wait: Wait,
    /// When the present wait ends; found when there is first something to wait for.
    deadline: Option<Instant>,
    /// The requests begun when the wait was last looked at.
    seen: usize,
    read_alarm: Alarm,
    write_alarm: Alarm,
    /// Since when the client takes nothing.
    stalled: Option<Instant>,
    /// For how long the client has kept replies waiting, less what it took since.
    debt: Duration,
    send_rate: u32,
}

impl<S> Patient<S> {
    pub(super) fn new(
        inner: S,
        activity: Arc<Activity>,
        chatter: Chatter,
        limits: &Limits,
    ) -> Self {
        Self {
            inner,
            activity,
            chatter,
            header_time: limits.header_time,
            idle_time: limits.idle_time,
            send_time: limits.send_time,
            wait: Wait::Fresh,
            deadline: None,
            seen: 0,
            read_alarm: Alarm::default(),
            write_alarm: Alarm::default(),
            stalled: None,
            debt: Duration::ZERO,
            send_rate: u32::try_from(limits.send_rate.max(1)).unwrap_or(u32::MAX),
        }
    }

    /// Notes requests that came and went since the last look.
    fn observe(&mut self) {
        let begun = self.activity.begun.load(Ordering::Relaxed);
        if begun != self.seen {
            self.seen = begun;
            self.enter(Wait::Idle);
        }
    }

    fn enter(&mut self, wait: Wait) {
        self.wait = wait;
        self.deadline = None;
    }

    /// Bytes came while no request was being answered.
    fn received(&mut self) {
        match (self.chatter, self.wait) {
            (Chatter::Allowed, _) => {
                self.enter(Wait::Idle);
                self.deadline = Some(after(Instant::now(), self.idle_time));
            }
            (Chatter::Never, Wait::Head) => {}
            (Chatter::Never, Wait::Fresh | Wait::Idle) => self.enter(Wait::Head),
        }
    }

    /// Nothing came: is the patience at its end?
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.activity.is_busy() {
            // The HTTP library does not look again when the request ends: the alarm makes it.
            self.read_alarm.poll_again(cx, self.idle_time);
            return Poll::Pending;
        }
        let deadline = *self.deadline.get_or_insert_with(|| match self.wait {
            Wait::Fresh | Wait::Head => after(Instant::now(), self.header_time),
            Wait::Idle => after(self.activity.idle_since(), self.idle_time),
        });
        self.read_alarm.poll(cx, deadline).map(|()| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                match self.wait {
                    Wait::Fresh => "the client sent nothing",
                    Wait::Head => "the client was too slow in sending a request's headers",
                    Wait::Idle => "the connection was idle for too long",
                },
            )
        })
    }
}

/// A point in time that exists, however long `time` is.
fn after(start: Instant, time: Duration) -> Instant {
    const YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    start + time.min(YEARS)
}

/// One timer that is set anew only when it would ring too late, so that a wait that ends in time
/// costs no timer operation.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            // It rang for an earlier wait, which ended in time.
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// Rings within `time`, without end.
    fn poll_again(&mut self, cx: &mut Context<'_>, time: Duration) {
        let sleep =
            self.0.get_or_insert_with(|| Box::pin(sleep_until(after(Instant::now(), time))));
        while sleep.as_mut().poll(cx).is_ready() {
            sleep.as_mut().reset(after(Instant::now(), time));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.observe();
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before && !this.activity.is_busy() {
                    this.received();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => this.poll_patience(cx).map(Err),
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S> Patient<S> {
    /// The client took so many bytes: it is that much less behind.
    fn taken(&mut self, outcome: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = outcome
            && !(self.debt.is_zero() && self.stalled.is_none())
        {
            self.debt += self.stalled.take().map_or(Duration::ZERO, |since| since.elapsed());
            let bytes = u32::try_from(*bytes).unwrap_or(u32::MAX);
            self.debt = self.debt.saturating_sub(Duration::from_secs(1) * bytes / self.send_rate);
        }
    }

    /// A write waits for the client to take what it was sent: for how long already? A client that
    /// takes a little now and then is as bad as one that takes nothing.
    fn watch_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_alarm.0 = None;
            self.debt += self.stalled.take().map_or(Duration::ZERO, |since| since.elapsed());
            return outcome;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        let deadline = match &self.write_alarm.0 {
            Some(sleep) => sleep.deadline(),
            None => after(since, self.send_time.saturating_sub(self.debt)),
        };
        self.write_alarm.poll(cx, deadline).map(|()| {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its reply"))
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.taken(&outcome);
        this.watch_write(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.taken(&outcome);
        this.watch_write(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_flush(cx);
        this.watch_write(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.watch_write(cx, outcome)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A client that takes a little in every pause is given up as well, but not one that is
    /// merely slow.
    #[tokio::test(start_paused = true)]
    async fn a_client_must_take_its_reply_at_some_speed() {
        const PIECE: usize = 64 << 10;
        for (rate, away, is_served) in [
            (PIECE / 4, 2, true),
            // Shorter than the longest pause, but a piece is worth four seconds only.
            (PIECE / 4, 60, false),
            (PIECE / 64, 60, true),
        ] {
            let limits = Limits { send_rate: rate, ..Limits::default() };
            let (mut client, server) = tokio::io::duplex(PIECE);
            let activity = Arc::new(Activity::new());
            let mut patient = Patient::new(server, activity, Chatter::Never, &limits);
            let sending = tokio::spawn(async move { patient.write_all(&[0; 32 * PIECE]).await });
            let mut piece = vec![0; PIECE];
            while client.read_exact(&mut piece).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(away)).await;
            }
            let sent = sending.await.expect("it does not panic");
            assert_eq!(sent.is_ok(), is_served, "away for {away} s at {rate} bytes a second");
        }
    }
}
