//! What clients can make the server hold or wait for, and what bounds it.
//!
//! Nothing that waits for a client, and nothing that a client lets wait, grows
//! without end. Of each such thing there is either a setting here or a constant
//! beside the code:
//!
//! | what | bound | beyond it |
//! | --- | --- | --- |
//! | connections | [`connections`](Limits::connections) | wait in the listener's queue |
//! | requests of a connection at a time | HTTP/1: one, and what fits into its buffer (some 400 KiB) of those behind; HTTP/2: 100, with 1 MiB sent ahead | the client is not read from |
//! | headers | [`headers`](Limits::headers), [`header_bytes`](Limits::header_bytes), [`header_time`](Limits::header_time) | status 431; the connection ends |
//! | a body | [`body`](Limits::body), [`body_time`](Limits::body_time); of XenAPI 300 KiB | status 413, 408 |
//! | long bodies (from 64 KiB) together | [`requests`](Limits::requests) | wait, then status 503 |
//! | XML | [`xml_depth`](Limits::xml_depth), [`xml_attributes`](Limits::xml_attributes) | a fault |
//! | long replies (from 1 MiB) together | [`replies`](Limits::replies) | further calls that read much wait |
//! | of one long retrieval | a piece of about 1 MiB, made when the one before is taken | the client is waited for |
//! | rows of retrievals that are kept | 64 MiB together, of 256 shapes | are forgotten |
//! | calls that read much, at work | one a processor | wait in turn |
//! | a reply that is not taken | [`send_time`](Limits::send_time), [`send_rate`](Limits::send_rate) | the connection ends |
//! | sessions | [`sessions`](Limits::sessions), the session timeout | status 503 |
//! | tickets of `AcquireCloneTicket` | 1,000 | the oldest is forgotten |
//! | filters, views, collectors of a session | [`filters`](Limits::filters), [`views`](Limits::views), [`collectors`](Limits::collectors) | `SystemError` |
//! | what these hold | [`objects`](Limits::objects), [`all_objects`](Limits::all_objects), and the table of [`collector`](crate::collector) | `SystemError` |
//! | what container views remember | 10,000,000 objects together | is computed again |
//! | history collectors of a session | [`Tasks::collectors`](super::Tasks::collectors) of each kind; pages of 1,000 | `InvalidState` |
//! | tasks at work | [`tasks`](Limits::tasks) | `SystemError`; XenAPI: `TOO_MANY_PENDING_TASKS` |
//! | tasks that ended, events | [`Tasks`](super::Tasks), [`Events`](super::Events) by age and number | the oldest are forgotten |
//! | the log of changes | by the number of changes | who is behind reads everything anew |
//! | watches of the control API | a feed of 4,096 changes for all | `reset`: the watch starts over |
//! | XenAPI's queue of `event.register` | 10 MiB a session | `EVENTS_LOST` |
//! | XenAPI's tasks that wait for one object | 100 | `TOO_MANY_PENDING_TASKS` |
//! | rules | 10,000 | an error |
//!
//! What clients create in the inventory, as machines, folders, roles, alarms or
//! scheduled tasks, stays until it is removed, as in vCenter; so do snapshots of
//! the control API, which an administrator makes. The actions of an alarm are left
//! out while there are too many tasks at work.

use std::time::Duration;

/// Bounds on what one client can make the server hold or wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in a request's body, after decompression. Uploads of files are not bounded.
    pub body: usize,
    /// Bytes of the long bodies that are being read and worked on. When there are so many,
    /// further ones are not read until some are done with.
    pub requests: usize,
    /// Elements inside each other in an XML document. Each costs the thread that reads them some
    /// of its stack: a debug build has room for about 400 in the usual two megabytes.
    pub xml_depth: usize,
    /// Attributes of one XML element.
    pub xml_attributes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Bytes of all the header lines of a request.
    pub header_bytes: usize,
    /// Time for the TLS handshake, and from then (or from a request's first byte) until the
    /// headers are complete.
    pub header_time: Duration,
    /// Time for a request's body to arrive; for an upload, the longest pause in it.
    pub body_time: Duration,
    /// How long a client may keep a reply waiting. What it takes meanwhile gives it more time,
    /// one second for each [`send_rate`](Self::send_rate) bytes.
    pub send_time: Duration,
    /// Bytes a second that a client must take of a long reply.
    pub send_rate: usize,
    /// Bytes of long replies that clients have not taken yet. When there are so many, further
    /// long replies wait until some are taken.
    pub replies: usize,
    /// How long a connection is kept between requests. Longer than the 15 minutes after which
    /// pyVmomi gives up a pooled connection: it does not recover when the server does so first.
    pub idle_time: Duration,
    /// Connections at a time; further ones wait in the listener's queue.
    pub connections: usize,
    /// Time for requests in flight to end at shutdown.
    pub grace: Duration,
    /// Sessions at a time. Who logs in when there are so many is answered as by vCenter, with
    /// HTTP's status 503.
    pub sessions: usize,
    /// Property filters of one session.
    pub filters: usize,
    /// Tasks that have not ended, those not counted that the server makes by itself.
    pub tasks: usize,
    /// Views of one session.
    pub views: usize,
    /// Property collectors of one session, beside the one that everybody has.
    pub collectors: usize,
    /// Objects that the filters and views of one session hold together: each
    /// filter those that it watches, each view those that a client lists in it,
    /// and both what their specifications are made of.
    pub objects: usize,
    /// The same of all sessions together.
    pub all_objects: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 32 << 20,
            requests: 256 << 20,
            xml_depth: 128,
            xml_attributes: 64,
            headers: 100,
            header_bytes: 64 << 10,
            header_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
            send_time: Duration::from_secs(120),
            send_rate: 16 << 10,
            replies: 1 << 30,
            idle_time: Duration::from_secs(30 * 60),
            connections: 20_000,
            grace: Duration::from_secs(5),
            sessions: 20_000,
            filters: 10_000,
            views: 1_000,
            collectors: 100,
            tasks: 1_000_000,
            objects: 4_000_000,
            all_objects: 20_000_000,
        }
    }
}
