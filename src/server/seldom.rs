//! Waiting for what hardly ever happens, beside what happens all the time.
//!
//! A task that waits for several things looks at all of them whenever one of them wakes it. A
//! connection is woken by every request, and looking whether the server stops costs a lock each
//! time. [`Seldom`] looks only when it was woken itself.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// A future that is only polled when it has asked for that.
pub(super) struct Seldom<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<T> Seldom<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        // Rung at first, because no future wakes anybody before it is polled.
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Self { future: Box::pin(future), waker: Waker::from(bell.clone()), bell }
    }
}

impl<T> fmt::Debug for Seldom<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Seldom").finish_non_exhaustive()
    }
}

impl<T> Future for Seldom<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        // First, so that a bell that rings from here on is heard.
        this.bell.task.register(cx.waker());
        if !this.bell.rung.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        this.bell.rung.store(false, Ordering::Release);
        this.future.as_mut().poll(&mut Context::from_waker(&this.waker))
    }
}
