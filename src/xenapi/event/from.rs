//! `event.from`: what has happened since a token, or will within a time.

use std::pin::pin;
use std::time::Duration;

use super::hub::{Waiter, show};
use super::subscription::Subscription;
use crate::value::Str;
use crate::xenapi::classes;
use crate::xenapi::context::Context;
use crate::xenapi::failure::Failure;
use crate::xenapi::message::{Answer, Args};
use crate::xenapi::value::Value;

/// What counts as for ever, in seconds: about 104 days.
const LONGEST: f64 = 9_000_000.0;

/// For ever.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits until something has happened after the token, or for as long as the
/// caller wants.
pub(super) async fn from(context: &Context<'_>, args: &Args) -> Answer {
    let (server, session) = (context.server, context.session()?);
    let engine = server.service().engine();
    let token = args.text(1);
    let since = parse_token(token).ok_or_else(|| Failure::event_token(token))?;
    let timeout = match args.float(2) {
        seconds if (0.0..LONGEST).contains(&seconds) => Duration::from_secs_f64(seconds),
        _ => DAY,
    };
    let pause = server.config().xenapi.event_pause;
    let hub = server.events();
    hub.activate(server);
    let subscription = Subscription::parse(&context.view(), &hub.ledger(), &args.texts(0));
    let at_once = token.is_empty() || subscription.is_of_tasks();
    let waiter = hub.wait(subscription);
    let reply = look(context, &waiter, since);
    if !reply.0 || timeout.is_zero() {
        // Nothing yet.
    } else if at_once {
        return Ok(reply.1);
    } else {
        gather(context, pause).await?;
        return Ok(look(context, &waiter, since).1);
    }
    if timeout.is_zero() {
        return Ok(reply.1);
    }
    let mut over = pin!(engine.sleep(timeout));
    loop {
        tokio::select! {
            biased;
            () = session.ended() => return Err(Failure::session_invalid(session.reference())),
            () = waiter.woken() => {
                hub.count_wakeup();
                let (found, reply) = look(context, &waiter, since);
                if !found {
                    continue;
                }
                if pause.is_zero() {
                    return Ok(reply);
                }
                gather(context, pause).await?;
                return Ok(look(context, &waiter, since).1);
            }
            () = &mut over => return Ok(look(context, &waiter, since).1),
        }
    }
}

/// Waits a moment, in which more may happen.
async fn gather(context: &Context<'_>, pause: Duration) -> Result<(), Failure> {
    let session = context.session()?;
    if pause.is_zero() {
        return Ok(());
    }
    tokio::select! {
        biased;
        () = session.ended() => Err(Failure::session_invalid(session.reference())),
        () = context.server.service().engine().sleep(pause) => Ok(()),
    }
}

/// What has happened after `since`, as a reply; and whether anything has.
fn look(context: &Context<'_>, waiter: &Waiter, since: u64) -> (bool, Value) {
    let server = context.server;
    let (ledger, view) = server.events().catch_up(server);
    let happened = ledger.since(since, |mo| waiter.subscription().holds(mo));
    let seen = ledger.seen();
    let counts = classes().iter().filter(|class| class.name != "event").map(|class| {
        let count = match class.name {
            "session" => server.sessions().list().len(),
            name => ledger.count(name),
        };
        let count = Value::Small(i32::try_from(count).unwrap_or(i32::MAX));
        (Str::from(class.name.to_ascii_lowercase()), count)
    });
    let counts = Value::Map(counts.collect());
    drop(ledger);
    let events: Vec<Value> =
        happened.iter().filter_map(|event| show(&view, event, "0.0")).collect();
    let found = !events.is_empty();
    let reply = [
        ("events", Value::Set(events)),
        ("valid_ref_counts", counts),
        ("token", Value::String(token_at(seen))),
    ];
    (found, Value::Map(reply.into_iter().map(|(name, value)| (Str::from(name), value)).collect()))
}

/// The token of the state that a commit made.
pub(super) fn token_at(version: u64) -> Str {
    Str::from(format!("{version:020},{:020}", 0))
}

/// The commit that a token names; the empty one is before all others.
fn parse_token(token: &str) -> Option<u64> {
    if token.is_empty() {
        return Some(0);
    }
    let (objects, messages) = token.split_once(',')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| digits(text).then(|| text.parse::<u64>().ok()).flatten();
    number(messages)?;
    number(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_ordered_as_texts() {
        let tokens = [0, 9, 10, 12_345].map(token_at);
        assert_eq!(tokens[3], "00000000000000012345,00000000000000000000");
        assert!(tokens.is_sorted());
        assert_eq!(tokens.map(|token| parse_token(&token)), [0, 9, 10, 12_345].map(Some));
        assert_eq!(parse_token(""), Some(0));
        for token in ["x", "1", "1,", ",1", "1,2,3", "-1,0", "+1,0", "99999999999999999999,0"] {
            assert_eq!(parse_token(token), None, "{token}");
        }
    }
}
