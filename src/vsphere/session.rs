//! Sessions: who is logged in, and what belongs to a login.
//!
//! ```text
//!   Login ──► alive ──Logout, TerminateSession, idle too long──► ended
//! ```
//!
//! Views, filters, collectors and the default PropertyCollector's state belong
//! to a session and end with it. A session is found by its token, which only
//! its client knows; its key is what others see.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::authorization::Access;
use crate::collector::Budget;
use crate::ids::Ids;
use crate::inventory::Snapshot;
use crate::object;
use crate::schema::Type;
use crate::value::{DateTime, MoRef, Object, Str};

/// An object that only one session sees: a view, a filter, a history collector.
pub trait SessionObject: Any + Send + Sync {
    /// The object's properties as they are now.
    fn properties(&self, snapshot: &Snapshot) -> Object;

    /// The same as a caller sees them who may not see everything.
    fn properties_for(&self, snapshot: &Snapshot, _access: &Access) -> Object {
        self.properties(snapshot)
    }

    /// Names the inventory objects whose change may change the properties.
    fn depends(&self, _snapshot: &Snapshot, _add: &mut dyn FnMut(&MoRef)) {}

    /// The object has been destroyed, or its session has ended.
    fn close(&self) {}
}

/// One login.
pub struct Session {
    /// What others see: the key of the `UserSession`.
    pub key: Str,
    /// What the client sends with each request.
    pub token: Str,
    /// The user's name as given at login.
    pub user_name: Str,
    /// The user's full name.
    pub full_name: Str,
    /// The client's address at login.
    pub address: Str,
    /// What the client said it is.
    pub user_agent: Str,
    /// When the session began.
    pub login_time: DateTime,
    /// Whether an extension logged in.
    pub extension: bool,
    last_active: AtomicI64,
    calls: AtomicU64,
    waiting: AtomicU32,
    ended: AtomicBool,
    over: Notify,
    idle_limit: Option<Duration>,
    locale: Mutex<Str>,
    objects: Mutex<Objects>,
    budget: Arc<Budget>,
}

/// What a session has, by name, and how many of each type.
#[derive(Default)]
struct Objects {
    by_name: HashMap<MoRef, Arc<dyn SessionObject>>,
    counts: HashMap<Type, usize>,
}

impl Objects {
    fn insert(&mut self, mo: MoRef, object: Arc<dyn SessionObject>) {
        let ty = mo.ty();
        if self.by_name.insert(mo, object).is_none() {
            *self.counts.entry(ty).or_default() += 1;
        }
    }

    fn remove(&mut self, mo: &MoRef) -> Option<Arc<dyn SessionObject>> {
        let removed = self.by_name.remove(mo)?;
        if let Some(count) = self.counts.get_mut(&mo.ty()) {
            *count -= 1;
        }
        Some(removed)
    }

    fn count(&self, kind: Type) -> usize {
        self.counts.iter().filter(|(ty, _)| ty.is_a(kind)).map(|(_, count)| count).sum()
    }
}

/// What a login brings.
#[derive(Debug)]
pub struct NewSession {
    /// The session's key.
    pub key: Str,
    /// The session's token.
    pub token: Str,
    /// The user's name.
    pub user_name: Str,
    /// The user's full name.
    pub full_name: Str,
    /// The client's address.
    pub address: Str,
    /// What the client says it is.
    pub user_agent: Str,
    /// The locale of messages.
    pub locale: Str,
    /// Now.
    pub now: DateTime,
    /// Whether an extension logs in.
    pub extension: bool,
    /// How long the session may be idle, if not as long as the settings say.
    pub idle_limit: Option<Duration>,
}

impl Session {
    /// Begins a session, whose filters and views count against `budget`.
    pub fn new(login: NewSession, budget: Arc<Budget>) -> Self {
        Self {
            key: login.key,
            token: login.token,
            user_name: login.user_name,
            full_name: login.full_name,
            address: login.address,
            user_agent: Str::from(shortened(&login.user_agent)),
            login_time: login.now,
            extension: login.extension,
            last_active: AtomicI64::new(login.now.micros()),
            calls: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            over: Notify::new(),
            idle_limit: login.idle_limit,
            locale: Mutex::new(login.locale),
            objects: Mutex::default(),
            budget,
        }
    }

    /// What the session's objects count against.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Notes that a call arrived.
    fn touch(&self, now: DateTime) {
        self.last_active.fetch_max(now.micros(), Ordering::AcqRel);
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// When the latest call arrived.
    pub fn last_active(&self) -> DateTime {
        DateTime::from_micros(self.last_active.load(Ordering::Acquire))
    }

    /// The clock goes back by `distance`: the session has been idle for as long
    /// as before.
    pub(super) fn go_back(&self, distance: Duration) {
        let distance = i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
        self.last_active.fetch_sub(distance, Ordering::AcqRel);
    }

    /// Notes that a call of this session is under way; the session is not idle
    /// until the guard is dropped, and then by the time that `clock` tells.
    pub fn busy<C: Fn() -> DateTime>(self: &Arc<Self>, clock: C) -> Busy<C> {
        self.touch(clock());
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Busy { session: self.clone(), clock }
    }

    /// When the session will have been idle for `timeout`, or for the time of
    /// its own, if nothing happens from `now` on; never, if that is zero.
    fn idle_from(&self, now: DateTime, timeout: Duration) -> Option<DateTime> {
        let timeout = self.idle_limit.unwrap_or(timeout);
        let busy = self.waiting.load(Ordering::Acquire) > 0;
        let last = if busy { now } else { self.last_active() };
        (!timeout.is_zero()).then(|| last.after(timeout))
    }

    /// Whether the session has been idle for `timeout`, or for the time of its
    /// own; never, if that is zero.
    pub fn is_idle(&self, now: DateTime, timeout: Duration) -> bool {
        self.idle_from(now, timeout).is_some_and(|end| end <= now)
    }

    /// Whether the session is over.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits until the session is over.
    pub async fn until_ended(&self) {
        let mut over = pin!(self.over.notified());
        // From here on no notification is missed.
        over.as_mut().enable();
        if !self.has_ended() {
            over.await;
        }
    }

    /// The locale of messages.
    pub fn locale(&self) -> Str {
        lock(&self.locale).clone()
    }

    /// Changes the locale of messages.
    pub fn set_locale(&self, locale: Str) {
        *lock(&self.locale) = locale;
    }

    /// The session as the API shows it.
    pub fn user_session(&self) -> Object {
        let locale = self.locale();
        object!(UserSession {
            key: &self.key,
            userName: &self.user_name,
            fullName: &self.full_name,
            loginTime: self.login_time,
            lastActiveTime: self.last_active(),
            locale: &locale,
            // There are no messages in other languages.
            messageLocale: if locale.starts_with("en") { locale.as_str() } else { "en" },
            extensionSession: self.extension,
            ipAddress: &self.address,
            userAgent: &self.user_agent,
            callCount: i64::try_from(self.calls.load(Ordering::Relaxed)).unwrap_or(i64::MAX),
        })
    }

    /// The session's object called `mo`.
    pub fn object(&self, mo: &MoRef) -> Option<Arc<dyn SessionObject>> {
        lock(&self.objects).by_name.get(mo).cloned()
    }

    /// The session's object called `mo`, if it is a `T`.
    pub fn object_as<T: SessionObject>(&self, mo: &MoRef) -> Option<Arc<T>> {
        let object: Arc<dyn Any + Send + Sync> = self.object(mo)?;
        object.downcast().ok()
    }

    /// The session's object called `mo`, made if there is none; nothing if the
    /// session has ended or has another kind of object there.
    pub fn object_or_add<T: SessionObject>(
        &self,
        mo: &MoRef,
        make: impl FnOnce() -> Arc<T>,
    ) -> Option<Arc<T>> {
        let mut objects = lock(&self.objects);
        if self.has_ended() {
            return None;
        }
        let Some(object) = objects.by_name.get(mo).cloned() else {
            let made = make();
            // What everybody has does not count.
            objects.by_name.insert(mo.clone(), made.clone());
            return Some(made);
        };
        let object: Arc<dyn Any + Send + Sync> = object;
        object.downcast().ok()
    }

    /// The session's objects of type `ty`, in the order of their names.
    pub fn objects_of(&self, ty: Type) -> Vec<MoRef> {
        let objects = lock(&self.objects);
        let names = objects.by_name.keys();
        let mut found: Vec<MoRef> = names.filter(|mo| mo.ty().is_a(ty)).cloned().collect();
        found.sort();
        found
    }

    /// Gives the session an object, unless it has `limit` of the types that are
    /// a `kind`, or has ended; whether it has it now. One that it does not get
    /// is closed.
    pub fn add_limited(
        &self,
        mo: MoRef,
        object: Arc<dyn SessionObject>,
        kind: Type,
        limit: usize,
    ) -> bool {
        let mut objects = lock(&self.objects);
        if objects.count(kind) < limit && !self.has_ended() {
            objects.insert(mo, object);
            return true;
        }
        drop(objects);
        object.close();
        false
    }

    /// Takes an object from the session and closes it; whether it was there.
    pub fn remove_object(&self, mo: &MoRef) -> bool {
        let removed = lock(&self.objects).remove(mo);
        if let Some(object) = &removed {
            object.close();
        }
        removed.is_some()
    }

    /// Ends the session and everything that belongs to it.
    fn end(&self) {
        let objects = {
            let mut objects = lock(&self.objects);
            self.ended.store(true, Ordering::Release);
            std::mem::take(&mut *objects)
        };
        self.over.notify_waiters();
        objects.by_name.values().for_each(|object| object.close());
    }
}

/// What is kept of a text that a client may make as long as it likes.
pub(super) fn shortened(text: &str) -> &str {
    const LONGEST: usize = 1024;
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token: logs are read by more people than may log in.
        f.debug_struct("Session")
            .field("key", &self.key)
            .field("user", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// Keeps a session from being idle while a call of it is under way: a call that
/// waited for longer than a session may be idle leaves it active.
pub struct Busy<C: Fn() -> DateTime> {
    session: Arc<Session>,
    clock: C,
}

impl<C: Fn() -> DateTime> Drop for Busy<C> {
    fn drop(&mut self) {
        // In this order, so that no look in between finds the session idle.
        self.session.last_active.fetch_max((self.clock)().micros(), Ordering::AcqRel);
        self.session.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl<C: Fn() -> DateTime> fmt::Debug for Busy<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Busy").field(&self.session).finish()
    }
}

/// Of so many sessions the room is kept when they have ended.
const CROWD: usize = 1024;

/// All sessions that are alive.
#[derive(Debug, Default)]
pub struct Sessions(RwLock<Alive>);

#[derive(Debug, Default)]
struct Alive {
    by_token: HashMap<Str, Arc<Session>>,
    by_key: HashMap<Str, Arc<Session>>,
}

impl Alive {
    /// Gives back what a crowd needed, once most of it has gone.
    fn shrink(&mut self) {
        for sessions in [&mut self.by_token, &mut self.by_key] {
            if sessions.capacity() > CROWD && sessions.len() < sessions.capacity() / 8 {
                sessions.shrink_to(sessions.len() * 2);
            }
        }
    }
}

impl Sessions {
    /// Adds a session, unless there are `limit`; whether it is there now.
    pub fn add(&self, session: Arc<Session>, limit: usize) -> bool {
        let mut sessions = write(&self.0);
        let fits = sessions.by_token.len() < limit;
        if fits {
            sessions.by_key.insert(session.key.clone(), session.clone());
            sessions.by_token.insert(session.token.clone(), session);
        }
        fits
    }

    /// A key and a token for a new session. Those of other sessions can come up
    /// once more when the source of ids has gone back to an earlier state.
    pub fn fresh(&self, ids: &Ids) -> (Str, Str) {
        loop {
            let (key, token) = (ids.session_key(), ids.cookie());
            if self.by_key(&key).is_none() && self.by_token(&token).is_none() {
                return (key.into(), token.into());
            }
        }
    }

    /// The session with the token.
    pub fn by_token(&self, token: &str) -> Option<Arc<Session>> {
        read(&self.0).by_token.get(token).cloned()
    }

    /// The session with the key.
    pub fn by_key(&self, key: &str) -> Option<Arc<Session>> {
        read(&self.0).by_key.get(key).cloned()
    }

    /// All sessions, oldest first.
    pub fn list(&self) -> Vec<Arc<Session>> {
        let mut all: Vec<_> = read(&self.0).by_token.values().cloned().collect();
        all.sort_by(|a, b| (a.login_time, &a.key).cmp(&(b.login_time, &b.key)));
        all
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        read(&self.0).by_token.len()
    }

    /// Whether nobody is logged in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a session: its waits, views and filters are gone. Whether it was alive.
    pub fn end(&self, session: &Session) -> bool {
        let mut sessions = write(&self.0);
        let alive = sessions.by_token.remove(&session.token).is_some();
        if alive {
            sessions.by_key.remove(&session.key);
            sessions.shrink();
        }
        drop(sessions);
        session.end();
        alive
    }

    /// The sessions that have been idle for `timeout`, oldest first.
    pub fn idle(&self, now: DateTime, timeout: Duration) -> Vec<Arc<Session>> {
        let mut idle = self.list();
        idle.retain(|session| session.is_idle(now, timeout));
        idle
    }

    /// When the first session will have been idle for `timeout`, if nothing
    /// happens from `now` on.
    pub fn first_idle(&self, now: DateTime, timeout: Duration) -> Option<DateTime> {
        let sessions = read(&self.0);
        sessions.by_token.values().filter_map(|session| session.idle_from(now, timeout)).min()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
