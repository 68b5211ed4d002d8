//! How rates and times are taken.

use std::io::{ErrorKind, Write as _};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::{Interest, Token};

use crate::driver::{Client, Reply, Server};

/// How long one measurement of a rate takes.
const TIME: Duration = Duration::from_secs(2);

/// Replies a second over `connections`, each sending the same request again and again.
pub(crate) fn rate(address: &str, connections: usize, body: impl Fn(&mut Client) -> String) -> f64 {
    rate_of(prepared(address, connections, body))
}

/// Clients that are logged in, each with its request, which was answered once.
fn prepared(
    address: &str,
    connections: usize,
    body: impl Fn(&mut Client) -> String,
) -> impl Iterator<Item = (Client, Vec<u8>)> {
    (0..connections).map(move |_| {
        let mut client = Client::login(address);
        let body = body(&mut client);
        let first = client.call(&body);
        assert!(!first.contains("Fault>"), "{first}");
        let request = client.request(&body);
        (client, request)
    })
}

/// Microseconds that the server works for one of the replies that [`rate`] counts: what is left
/// of a rate when the clients cost nothing.
pub(crate) fn cost(
    server: &Server,
    connections: usize,
    body: impl Fn(&mut Client) -> String,
) -> f64 {
    let clients: Vec<_> = prepared(&server.address, connections, body).collect();
    cost_of(server, clients.into_iter())
}

/// The same of clients and requests that are ready.
pub(crate) fn cost_of(server: &Server, clients: impl Iterator<Item = (Client, Vec<u8>)>) -> f64 {
    let before = server.processor_time();
    let rate = rate_of(clients);
    (server.processor_time() - before).as_secs_f64() * 1e6 / (rate * TIME.as_secs_f64())
}

/// Replies a second to clients that each send a request again and again, whenever they have the
/// reply to the one before. One thread does it for all, so that little of the machine's time goes
/// into the clients.
pub(crate) fn rate_of(clients: impl Iterator<Item = (Client, Vec<u8>)>) -> f64 {
    let mut poll = mio::Poll::new().expect("a poll");
    let mut lines: Vec<Line> =
        clients.map(|(client, request)| Line::new(client, request)).collect();
    for (number, line) in lines.iter_mut().enumerate() {
        let registry = poll.registry();
        registry.register(&mut line.stream, Token(number), Interest::READABLE).expect("a line");
        line.ask();
    }
    let mut events = mio::Events::with_capacity(lines.len());
    let (begin, mut done) = (Instant::now(), 0_u64);
    while begin.elapsed() < TIME {
        poll.poll(&mut events, None).expect("events");
        for event in &events {
            let line = &mut lines[event.token().0];
            if line.listen() {
                done += 1;
                line.ask();
            }
        }
    }
    done as f64 / begin.elapsed().as_secs_f64()
}

/// A connection that never waits for itself.
struct Line {
    stream: mio::net::TcpStream,
    request: Vec<u8>,
    reply: Reply,
}

impl Line {
    fn new(client: Client, request: Vec<u8>) -> Self {
        client.stream.set_nonblocking(true).expect("a stream that does not block");
        let stream = mio::net::TcpStream::from_std(client.stream);
        Self { stream, request, reply: Reply::default() }
    }

    fn ask(&mut self) {
        let sent = self.stream.write(&self.request).expect("the request is sent");
        assert_eq!(sent, self.request.len(), "nothing else is on its way, so it fits");
        self.reply.clear();
    }

    /// Reads what has come; whether the reply is whole.
    fn listen(&mut self) -> bool {
        loop {
            match self.reply.read(&mut self.stream) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("the reply is read: {error}"),
            }
        }
    }
}

/// Rounds a second over `connections`: each is logged in, prepares with its number, and then does
/// the round that it prepared again and again.
pub(crate) fn rounds<R: FnMut(&mut Client)>(
    address: &str,
    connections: usize,
    prepare: impl Fn(&mut Client, usize) -> R + Sync,
) -> f64 {
    let (done, stop) = (&AtomicU64::new(0), &AtomicBool::new(false));
    let started = &Barrier::new(connections + 1);
    let prepare = &prepare;
    std::thread::scope(|scope| {
        for number in 0..connections {
            scope.spawn(move || {
                let mut client = Client::login(address);
                let mut round = prepare(&mut client, number);
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
