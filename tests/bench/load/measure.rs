//! How rates and times are taken.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::driver::Client;

/// How long one measurement of a rate takes.
const TIME: Duration = Duration::from_secs(2);

/// Replies a second over `connections`, each sending the same request again and again.
pub(crate) fn rate(
    address: &str,
    connections: usize,
    body: impl Fn(&mut Client) -> String + Sync,
) -> f64 {
    rounds(address, connections, |client, _| {
        let body = body(client);
        let first = client.call(&body);
        assert!(!first.contains("Fault>"), "{first}");
        let request = client.request(&body);
        move |client: &mut Client| {
            client.send(&request);
        }
    })
}

/// Rounds a second over `connections`: each is logged in, prepares with its number, and then does
/// the round that it prepared again and again.
pub(crate) fn rounds<R: FnMut(&mut Client)>(
    address: &str,
    connections: usize,
    prepare: impl Fn(&mut Client, usize) -> R + Sync,
) -> f64 {
    rounds_of(connections, |number| {
        let mut client = Client::login(address);
        let round = prepare(&mut client, number);
        (client, round)
    })
}

/// Rounds a second of `connections` clients, each with its own round.
pub(crate) fn rounds_of<R: FnMut(&mut Client)>(
    connections: usize,
    prepare: impl Fn(usize) -> (Client, R) + Sync,
) -> f64 {
    let (done, stop) = (&AtomicU64::new(0), &AtomicBool::new(false));
    let started = &Barrier::new(connections + 1);
    let prepare = &prepare;
    std::thread::scope(|scope| {
        for number in 0..connections {
            scope.spawn(move || {
                let (mut client, mut round) = prepare(number);
                started.wait();
                while !stop.load(Ordering::Relaxed) {
                    round(&mut client);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        started.wait();
        let begin = Instant::now();
        std::thread::sleep(TIME);
        let rate = done.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        rate
    })
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that `share` of all do not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
