//! The older way: sessions register for events, which then queue up for them
//! until they are fetched.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;

use super::hub::lock;
use super::ledger::Happened;
use super::subscription::Subscription;
use crate::value::Str;
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::message::Answer;
use crate::xenapi::session::Session;
use crate::xenapi::value::Value;

/// How much may queue up for one session, about, in bytes.
const LIMIT: usize = 10 * 1024 * 1024;

/// The sessions that have registered, by their references.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    all: HashMap<Str, Registration>,
}

#[derive(Debug)]
struct Registration {
    session: Arc<Session>,
    subscription: Subscription,
    queue: Vec<Value>,
    weight: usize,
    /// More came than fits: the client has to start over.
    lost: bool,
    wake: Arc<Notify>,
}

impl Registrations {
    /// Queues what has happened for those who want it.
    pub(super) fn push(
        &mut self,
        happened: &[Happened],
        show: impl Fn(&Happened) -> Option<Value>,
    ) {
        if self.all.is_empty() || happened.is_empty() {
            return;
        }
        self.all.retain(|_, registration| !registration.session.has_ended());
        for event in happened {
            let mut shown = None;
            for registration in self.all.values_mut() {
                if registration.lost || !registration.subscription.holds(&event.object) {
                    continue;
                }
                let value = shown.get_or_insert_with(|| show(event));
                registration.extend(value.as_ref());
            }
        }
    }
}

impl Registration {
    fn extend(&mut self, event: Option<&Value>) {
        let Some(event) = event else { return };
        self.weight += weight(event);
        if self.weight > LIMIT {
            self.lost = true;
            self.queue = Vec::new();
        } else {
            self.queue.push(event.clone());
        }
        self.wake.notify_one();
    }
}

/// About how many bytes a value takes.
fn weight(value: &Value) -> usize {
    let below: usize = match value {
        Value::String(text) => text.len(),
        Value::Set(items) => items.iter().map(weight).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + below
}

/// From now on events of these classes queue up, besides those of earlier calls.
pub(super) fn register(context: &Context<'_>, classes: &[Str]) -> Answer {
    let session = context.session()?;
    let hub = context.server.events();
    hub.activate(context.server);
    let added = Subscription::parse(&context.view(), &hub.ledger(), classes);
    let mut registrations = lock(&hub.registrations);
    let registration =
        registrations.all.entry(session.reference().clone()).or_insert_with(|| Registration {
            session: session.clone(),
            subscription: Subscription::default(),
            queue: Vec::new(),
            weight: 0,
            lost: false,
            wake: Arc::default(),
        });
    registration.subscription.extend(added);
    Ok(Value::Void)
}

/// Events of these classes no longer queue up. Without any left, the session
/// is not registered.
pub(super) fn unregister(context: &Context<'_>, classes: &[Str]) -> Answer {
    let session = context.session()?;
    let hub = context.server.events();
    let dropped = Subscription::parse(&context.view(), &hub.ledger(), classes);
    let mut registrations = lock(&hub.registrations);
    if let Some(registration) = registrations.all.get_mut(session.reference()) {
        registration.subscription.remove(&dropped);
        if registration.subscription.is_empty()
            && let Some(gone) = registrations.all.remove(session.reference())
        {
            // Whoever waits is told that nothing will come.
            gone.wake.notify_waiters();
        }
    }
    Ok(Value::Void)
}

/// Waits for events, for as long as it takes, and gives all that there are.
pub(super) async fn next(context: &Context<'_>) -> Answer {
    let session = context.session()?;
    let hub = context.server.events();
    let unknown = || Failure::session_not_registered(session.reference());
    loop {
        let wake = {
            let mut registrations = lock(&hub.registrations);
            let found = registrations.all.get_mut(session.reference());
            let registration = found.ok_or_else(unknown)?;
            if registration.lost {
                registrations.all.remove(session.reference());
                return Err(Failure::events_lost());
            }
            if !registration.queue.is_empty() {
                registration.weight = 0;
                return Ok(Value::Set(std::mem::take(&mut registration.queue)));
            }
            registration.wake.clone()
        };
        tokio::select! {
            () = wake.notified() => {}
            () = session.ended() => return Err(Failure::session_invalid(session.reference())),
        }
    }
}
