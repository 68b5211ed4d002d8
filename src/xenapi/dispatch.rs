//! From a request to its answer.
//!
//! The checks come in the order of the real product: is the name known, are
//! there as many arguments as parameters, do they fit, is the session alive, is
//! there an asynchronous form, may the caller do this; then the message itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

use super::catalogue::{Entry, LIST_METHODS};
use super::class::{Class, Getter};
use super::context::{Context, Origin};
use super::failure::Failure;
use super::message::{Answer, Args, Message, Run};
use super::server::Server;
use super::session::Session;
use super::value::{Type, Value};
use crate::value::Str;

/// What begins the name of an asynchronous form.
const ASYNC: &str = "Async.";

/// A call as it was sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name, with `Async.` if it has that.
    pub name: String,
    /// The arguments, the session among them.
    pub params: Vec<Value>,
    /// What the transport knows.
    pub origin: Origin,
}

impl Server {
    /// Answers a call.
    pub async fn call(self: &Arc<Self>, request: Request) -> Answer {
        let Request { name, mut params, origin } = request;
        if name == LIST_METHODS {
            return Ok(Value::texts(self.catalogue().names()));
        }
        let (is_async, plain) = match name.strip_prefix(ASYNC) {
            // Only the form with a dot has an asynchronous one.
            Some(plain) if plain.contains('.') => (true, plain),
            _ => (false, name.as_str()),
        };
        let Some((proper, entry)) = self.catalogue().find(plain) else {
            if let Some(session) = params.first() {
                self.session(session.as_str().unwrap_or_default())?;
            }
            return Err(Failure::method_unknown(&name));
        };
        let with_session = !matches!(entry, Entry::Message(message) if !message.session);
        let (least, most) = match entry {
            Entry::Message(message) => message.arity(),
            Entry::Getter(class, getter) => {
                let count = usize::from(getter.param(class).is_some());
                (count, Some(count))
            }
        };
        let session_len = usize::from(with_session);
        let given = params.len().cast_signed() - session_len.cast_signed();
        let fits = given
            .try_into()
            .is_ok_and(|given: usize| given >= least && most.is_none_or(|most| given <= most));
        if !fits {
            return Err(Failure::parameter_count(proper, least, given));
        }
        if let Some(text) = params.iter().find_map(unfit) {
            return Err(Failure::invalid_value(&text, "The text has characters that XML has not."));
        }
        let rest = params.split_off(session_len);
        let session = match params.pop() {
            Some(session) => Some(Type::Ref("session").accept(session).ok_or_else(|| {
                Failure::internal_error(&format!("{proper}: the session is not a reference"))
            })?),
            None => None,
        };
        let args = match entry {
            Entry::Message(message) => message.accept(rest)?,
            Entry::Getter(class, getter) => accept_one(proper, class, getter, rest)?,
        };
        let session: Option<Arc<Session>> = match &session {
            Some(session) => Some(self.session(session.as_str().unwrap_or_default())?),
            None => None,
        };
        let engine = self.service().engine();
        let inner = session.as_ref().map(|session| session.inner().clone());
        let _busy = inner.as_ref().map(|inner| inner.busy(|| engine.now()));
        let context = Context { server: self, name: proper, is_async, session, origin: &origin };
        match entry {
            Entry::Getter(..) if is_async => Err(Failure::no_async(proper)),
            Entry::Getter(class, getter) => {
                guarded(proper, || getter.answer(class, &context.view(), &args))
            }
            Entry::Message(message) if is_async && !message.is_async => {
                Err(Failure::no_async(proper))
            }
            Entry::Message(message) => context.run(message, &args).await,
        }
    }
}

/// A text in a value that cannot travel as XML, shown so that it can.
fn unfit(value: &Value) -> Option<String> {
    let fits = |text: &str| {
        text.chars().all(|c| match c {
            '\t' | '\n' | '\r' => true,
            c => c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'),
        })
    };
    match value {
        Value::String(text) => (!fits(text)).then(|| text.escape_default().to_string()),
        Value::Set(items) => items.iter().find_map(unfit),
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            if fits(key) { unfit(value) } else { Some(key.escape_default().to_string()) }
        }),
        _ => None,
    }
}

fn accept_one(
    name: &str,
    class: &Class,
    getter: Getter,
    rest: Vec<Value>,
) -> Result<Args, Failure> {
    let (Some(ty), Some(value)) = (getter.param(class), rest.into_iter().next()) else {
        return Ok(Args::default());
    };
    let value = ty.accept(value);
    let value = value.ok_or_else(|| Failure::internal_error(&format!("{name}: not a {ty:?}")))?;
    Ok(Args::new(vec![value]))
}

impl Context<'_> {
    async fn run(&self, message: &Message, args: &Args) -> Answer {
        if !self.is_async {
            self.require(message.name, message.role)?;
            return match message.run {
                Run::Now(run) => guarded(message.name, || run(self, args)),
                Run::Wait(wait) => guarded_wait(message.name, wait(self, args)).await,
                Run::Work(plan) => {
                    let work = guarded(message.name, || plan(self, args))?;
                    let task = self.submit(work)?;
                    self.outcome(&task).await
                }
            };
        }
        // From here on everything is the task's.
        let allowed = self.require(message.name, message.role);
        let begun = match message.run {
            Run::Now(run) => {
                let answer = allowed.and_then(|()| guarded(message.name, || run(self, args)));
                self.submit_ended(answer)
            }
            Run::Wait(_) => Err(Failure::no_async(message.name)),
            Run::Work(plan) => {
                match allowed.and_then(|()| guarded(message.name, || plan(self, args))) {
                    Ok(work) => match self.submit(work) {
                        Err(failure) => self.submit_ended(Err(failure)),
                        begun => begun,
                    },
                    Err(failure) => self.submit_ended(Err(failure)),
                }
            }
        };
        let reference: Str = self.server.refs().reference(&begun?);
        Ok(Value::String(reference))
    }
}

/// Runs something so that a panic in it ends this call and nothing else.
fn guarded<T>(name: &str, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked(name)))
}

async fn guarded_wait(name: &str, mut waiting: super::message::Waiting<'_>) -> Answer {
    std::future::poll_fn(move |context| {
        catch_unwind(AssertUnwindSafe(|| waiting.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(panicked(name))))
    })
    .await
}

fn panicked(name: &str) -> Failure {
    tracing::error!(name, "a message panicked");
    Failure::internal_error("an internal error; the server's log says where")
}
