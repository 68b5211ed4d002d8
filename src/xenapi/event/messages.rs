//! The messages of `event`.

use super::from;
use super::legacy;
use crate::engine::Tx;
use crate::xenapi::class_named_any;
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::message::{Answer, Args, Message, Param, Role, Run};
use crate::xenapi::value::{Type, Value};

const CLASSES: &[Param] = &[Param::new("classes", Type::Set(&Type::String))];

/// A message that waits.
const fn wait(
    name: &'static str,
    params: &'static [Param],
    result: Type,
    since: &'static str,
    run: Run,
) -> Message {
    let (session, is_async, role) = (true, false, Role::ReadOnly);
    Message { name, params, result, session, is_async, role, since, run }
}

pub(super) const MESSAGES: &[Message] = &[
    wait(
        "event.from",
        &[
            Param::new("classes", Type::Set(&Type::String)),
            Param::new("token", Type::String),
            Param::new("timeout", Type::Float),
        ],
        Type::Record("event batch"),
        "boston",
        Run::Wait(|context, args| Box::pin(from::from(context, args))),
    ),
    wait(
        "event.next",
        &[],
        Type::Set(&Type::Record("event")),
        "rio",
        Run::Wait(|context, _| Box::pin(legacy::next(context))),
    ),
    Message::read("event.register", CLASSES, Type::Void, |context, args| {
        legacy::register(context, &args.texts(0))
    }),
    Message::read("event.unregister", CLASSES, Type::Void, |context, args| {
        legacy::unregister(context, &args.texts(0))
    }),
    Message::read("event.get_current_id", &[], Type::Int, |context, _| {
        let version = context.view().state().version();
        Ok(Value::Int(i64::try_from(version).unwrap_or(i64::MAX)))
    }),
    Message::read(
        "event.inject",
        &[Param::new("class", Type::String), Param::new("ref", Type::String)],
        Type::String,
        inject,
    ),
];

/// Counts an object as changed; the token is of before that.
fn inject(context: &Context<'_>, args: &Args) -> Answer {
    let (name, reference) = (args.text(0), args.text(1));
    let invalid = || Failure::handle_invalid(name, reference);
    let class = class_named_any(name).ok_or_else(invalid)?;
    let view = context.view();
    let mo = view.resolve(class, reference).ok_or_else(invalid)?;
    context.server.events().activate(context.server);
    let before = context.view().state().version();
    context.commit(|tx: &mut Tx<'_>| {
        tx.touch(&mo);
        Ok(())
    })?;
    Ok(Value::String(from::token_at(before)))
}
