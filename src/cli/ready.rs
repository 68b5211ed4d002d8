//! Saying that the server is ready, and hearing that it shall stop.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::config::{Access, Config, Export};
use crate::server::Server;
use crate::wire::control::BASE;

/// Writes the line for scripts and the line for people. The future ends only if the first cannot
/// be written: then nobody could find the server.
pub(super) fn announce(
    config: &Config,
    server: &Server,
    control: Option<&Server>,
) -> impl Future<Output = String> + use<> {
    let listed = config.access.as_ref().filter(|_| config.login.username.is_none());
    let (username, password) = match listed.and_then(Access::first_administrator) {
        Some((name, user)) => (name, user.password.as_deref()),
        None => {
            (config.login.username.as_deref().unwrap_or("user"), config.login.password.as_deref())
        }
    };
    let password = password.unwrap_or("pass");
    let url = server.url_with_login(username, password);
    let mut line = format!("export GOVC_URL={url} GOVC_SIM_PID={}", std::process::id());
    if let Some(control) = control {
        let url = control.base_url_with_login(username, password);
        line.push_str(&format!(" VIMSIM_URL={url}{BASE}"));
        tracing::info!("the control API is at {}{BASE}", control.base_url());
    }
    line.push('\n');
    tracing::info!("vimsim {} is ready at {}", env!("CARGO_PKG_VERSION"), server.url());

    let export = config.export.clone();
    let (failed, failure) = oneshot::channel();
    // A thread, because a fifo blocks until somebody reads it, perhaps for ever.
    thread::spawn(move || {
        let outcome = match &export {
            Export::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(line.as_bytes()).and_then(|()| out.flush())
            }
            Export::File(path) => write_line(path, &line),
        };
        let place = match &export {
            Export::Stdout => "standard output".to_owned(),
            Export::File(path) => path.display().to_string(),
        };
        match outcome {
            Ok(()) => tracing::debug!("wrote the URL to {place}"),
            Err(error) => {
                // The receiver is gone when the server is stopping anyway.
                let _ = failed.send(format!("cannot write the URL to {place}: {error}"));
            }
        }
    });
    async {
        match failure.await {
            Ok(error) => error,
            Err(_) => std::future::pending().await,
        }
    }
}

/// One write, so that a script that waits for the file never reads half a line.
fn write_line(path: &Path, line: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    // The line holds a password.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(line.as_bytes())
}

/// The ways in which the program is told to stop.
pub(super) struct Stop(mpsc::Receiver<&'static str>);

impl Stop {
    /// Listens from now on.
    pub(super) fn listen(stdin: bool) -> Self {
        let (told, reasons) = mpsc::channel(4);
        signals(&told);
        if stdin {
            // A thread, because a read from a terminal cannot be given up.
            thread::spawn(move || {
                let mut byte = [0];
                // Any byte, the end, and an error all say the same.
                let _ = io::stdin().lock().read(&mut byte);
                let _ = told.blocking_send("standard input");
            });
        }
        Self(reasons)
    }

    /// The next reason to stop.
    pub(super) async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(reason) => reason,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
fn signals(told: &mpsc::Sender<&'static str>) {
    use tokio::signal::unix::{SignalKind, signal};
    for (kind, name) in [(SignalKind::interrupt(), "SIGINT"), (SignalKind::terminate(), "SIGTERM")]
    {
        match signal(kind) {
            Ok(mut signal) => {
                let told = told.clone();
                tokio::spawn(async move {
                    while signal.recv().await.is_some() && told.send(name).await.is_ok() {}
                });
            }
            Err(error) => tracing::warn!(%error, "cannot listen for {name}"),
        }
    }
}

#[cfg(not(unix))]
fn signals(told: &mpsc::Sender<&'static str>) {
    let told = told.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && told.send("Ctrl-C").await.is_ok() {}
    });
}
