//! Watching tasks: live bars on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::{IsTerminal as _, stdout};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Output;
use super::client::{Client, CtlError};
use super::sse::{Event, Events};
use super::tasks::{name, outcome, state, target};
use crate::wire::control::model::Task;

/// A server that went away may come back: it is asked again so often.
const ATTEMPTS: u32 = 5;
/// And this long after.
const PAUSE: Duration = Duration::from_secs(1);

/// Shows what the stream at `path` brings, to its end; gives the last task as it
/// was then, or nothing if it is gone.
pub(super) fn run(client: &Client, out: Output, path: &str) -> Result<Option<Task>, CtlError> {
    let mut screen = Screen::new(out);
    let mut last_id: Option<String> = None;
    let mut last_task = None;
    let mut failures = 0;
    let one = path.starts_with("/tasks/");
    loop {
        let stream = match client.stream(path, last_id.as_deref()) {
            Ok(stream) => stream,
            Err(CtlError::Unreachable(_)) if last_id.is_some() && failures < ATTEMPTS => {
                failures += 1;
                pause();
                continue;
            }
            Err(error) => return Err(error),
        };
        failures = 0;
        for event in Events::new(stream) {
            // A connection that breaks is made anew, and the watch goes on.
            let Ok(event) = event else { break };
            last_id = event.id.clone().or(last_id);
            last_task = screen.show(&event)?.or(last_task);
            if one && event.name == "gone" {
                return Ok(None);
            }
        }
        if one && last_task.as_ref().is_some_and(|task: &Task| task.state.is_done()) {
            return Ok(last_task);
        }
        failures += 1;
        if failures > ATTEMPTS {
            return Err(CtlError::Unreachable("the server ends the watch".to_owned()));
        }
        pause();
    }
}

/// Gives a server that went away time to come back.
#[allow(clippy::disallowed_methods, reason = "a client that polls nothing but for a connection")]
fn pause() {
    thread::sleep(PAUSE);
}

/// Where tasks are shown.
enum Screen {
    Json(Output),
    Lines(Output),
    Bars { all: MultiProgress, bars: HashMap<String, ProgressBar> },
}

impl Screen {
    fn new(out: Output) -> Self {
        if out.json {
            return Self::Json(out);
        }
        if !stdout().is_terminal() {
            return Self::Lines(out);
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self::Bars { all, bars: HashMap::new() }
    }

    /// Shows an event; gives its task.
    fn show(&mut self, event: &Event) -> Result<Option<Task>, CtlError> {
        let task: Option<Task> = match event.name.as_str() {
            "task" | "gone" => Some(serde_json::from_str(&event.data).map_err(|error| {
                CtlError::Unreachable(format!("an event is not understood: {error}"))
            })?),
            _ => None,
        };
        let gone = event.name == "gone";
        match self {
            Self::Json(out) => {
                out.line(&json!({ "event": event.name, "task": task }).to_string())?;
            }
            Self::Lines(out) => out.line(&line(task.as_ref(), gone))?,
            Self::Bars { all, bars } => match &task {
                Some(task) => draw(all, bars, task, gone),
                None => bars.drain().for_each(|(_, bar)| bar.finish_and_clear()),
            },
        }
        Ok(task)
    }
}

/// An event on one line.
fn line(task: Option<&Task>, gone: bool) -> String {
    let Some(task) = task else { return "all tasks anew".to_owned() };
    let end = match (gone, task.state.is_done()) {
        (true, _) => " gone".to_owned(),
        (false, true) if outcome(task) != "-" => format!("  {}", outcome(task)),
        (false, _) => String::new(),
    };
    format!("{}  {}  {}  {}{end}", task.key, name(task), target(task), state(task))
}

fn draw(all: &MultiProgress, bars: &mut HashMap<String, ProgressBar>, task: &Task, gone: bool) {
    if gone && !bars.contains_key(&task.key) {
        // A task that ended long ago is forgotten; it has no bar any more.
        return;
    }
    let bar = bars.entry(task.key.clone()).or_insert_with(|| {
        let bar = all.add(ProgressBar::new(100));
        let style = ProgressStyle::with_template("{prefix} [{bar:25}] {pos:>3}%  {msg}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(format!("{:10} {:24} {:20}", task.key, name(task), target(task)));
        bar
    });
    let done = task.state.is_done();
    let success = task.state.word() == "success";
    if let Some(progress) = task.progress {
        bar.set_position(u64::from(progress));
    } else if success {
        bar.set_position(100);
    }
    let mut message = task.state.word().to_owned();
    if gone {
        message = "gone".to_owned();
    } else if task.held {
        message.push_str(", held");
    } else if done && !success {
        message = format!("{message}: {}", outcome(task));
    }
    bar.set_message(message);
    if done || gone {
        bar.abandon();
        bars.remove(&task.key);
    }
}
