//! `vimsim ctl tasks`, and what is done to single tasks.

use clap::{Args, ValueEnum};

use super::client::{Client, CtlError, encode};
use super::{Output, table, watch};
use crate::value::DateTime;
use crate::wire::control::model::{self, Task, TaskPage, TaskState};

/// Tasks a page.
const PAGE: usize = 1_000;

/// Which tasks.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Watch them: live progress bars, or lines where there is no terminal
    #[arg(short, long)]
    watch: bool,

    /// Only tasks in this state
    #[arg(short, long, value_name = "STATE", conflicts_with = "watch")]
    state: Option<State>,

    /// Only tasks on this entity or below it: a reference, a path or a name
    #[arg(short, long, value_name = "ENTITY")]
    entity: Option<String>,

    /// Only tasks of this method; * stands for any text
    #[arg(short, long, value_name = "METHOD")]
    method: Option<String>,

    /// Only tasks of this user
    #[arg(long, value_name = "USER")]
    user: Option<String>,

    /// The latest so many; 0 means all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, conflicts_with = "watch")]
    limit: usize,
}

/// A state to look for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Queued,
    Running,
    Success,
    Error,
    Cancelled,
    /// Queued or running
    Live,
    /// Ended in whatever way
    Done,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Live => "live",
            Self::Done => "done",
        }
    }
}

impl List {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let which = [
            ("entity", self.entity.as_deref()),
            ("method", self.method.as_deref()),
            ("user", self.user.as_deref()),
        ];
        if self.watch {
            return watch::run(client, out, &path("/watch", &which)).map(|_| ());
        }
        let mut page = TaskPage { tasks: Vec::new(), next: None };
        loop {
            let left = match self.limit {
                0 => PAGE,
                limit => PAGE.min(limit.saturating_sub(page.tasks.len())),
            };
            let left = left.to_string();
            let mut query = which.to_vec();
            query.extend([
                ("state", self.state.map(State::word)),
                ("order", Some("newest")),
                ("after", page.next.as_deref()),
                ("limit", Some(&left)),
            ]);
            let more: TaskPage = client.get(&path("/tasks", &query))?;
            page.tasks.extend(more.tasks);
            page.next = more.next;
            if page.next.is_none() || (self.limit != 0 && page.tasks.len() >= self.limit) {
                break;
            }
        }
        page.tasks.reverse();
        out.show(&page, |page| table_of(&page.tasks))
    }
}

/// A path with the parameters that are set.
fn path(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let set = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let query: Vec<_> = set.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// Tasks as people read them.
fn table_of(tasks: &[Task]) -> String {
    let columns = ["TASK", "METHOD", "TARGET", "USER", "STATE", "QUEUED", "TOOK", "RESULT"];
    table::render(
        &columns,
        tasks.iter().map(|task| {
            vec![
                task.key.clone(),
                name(task).to_owned(),
                target(task).to_owned(),
                table::or_dash(task.user.as_ref()),
                state(task),
                task.queue_time.0.to_string(),
                took(task),
                outcome(task),
            ]
        }),
    )
}

/// What a task does.
pub(super) fn name(task: &Task) -> &str {
    let method = task.method.as_deref().unwrap_or(&task.description_id);
    method.strip_suffix("_Task").unwrap_or(method)
}

/// What it does that to.
pub(super) fn target(task: &Task) -> &str {
    let entity = task.entity.as_ref();
    entity.map_or("-", |entity| entity.name.as_deref().unwrap_or(&entity.id))
}

/// Where it is, with its progress.
pub(super) fn state(task: &Task) -> String {
    let mut text = task.state.word().to_owned();
    if let Some(progress) = task.progress {
        text.push_str(&format!(" {progress}%"));
    }
    if task.held {
        text.push_str(" held");
    } else if task.cancel.is_some() && !task.state.is_done() {
        text.push_str(" stopping");
    }
    text
}

fn took(task: &Task) -> String {
    let span = |from: DateTime, to: DateTime| {
        let seconds = to.since(from).as_secs_f64();
        if seconds < 60.0 { format!("{seconds:.1}s") } else { whole(seconds) }
    };
    let took = task.start_time.zip(task.complete_time).map(|(from, to)| span(from.0, to.0));
    table::or_dash(took)
}

fn whole(seconds: f64) -> String {
    // Whole and not negative: nothing is lost.
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h{minutes:02}m{seconds:02}s")
    } else {
        format!("{minutes}m{seconds:02}s")
    }
}

/// What came of it, in short.
pub(super) fn outcome(task: &Task) -> String {
    match (&task.error, &task.result) {
        (Some(error), _) => format!("{}: {}", error.kind, error.message),
        (None, Some(serde_json::Value::String(text))) => text.clone(),
        (None, Some(result)) => result.to_string(),
        (None, None) => "-".to_owned(),
    }
}

/// One task.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The task: task-17, 17, or Task:task-17 as govc writes it
    #[arg(value_parser = key)]
    task: String,

    /// Watch it until it has ended; the exit status says how it did
    #[arg(short, long)]
    watch: bool,
}

impl Show {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        if !self.watch {
            let task: Task = client.get(&format!("/tasks/{}", self.task))?;
            return out.show(&task, details);
        }
        let path = format!("/tasks/{}/watch", self.task);
        match watch::run(client, out, &path)? {
            Some(task) if task.state == TaskState::Success => Ok(()),
            Some(task) if task.state.is_done() => {
                Err(CtlError::Failed(format!("{}: {}", task.key, outcome(&task))))
            }
            Some(_) | None => Err(CtlError::Failed(format!("{} is gone", self.task))),
        }
    }
}

/// Everything about a task, for people.
fn details(task: &Task) -> String {
    let time = |time: Option<model::Time>| time.map(|it| it.0.to_string());
    let entity = task.entity.as_ref();
    let result = task.result.as_ref().map(|_| outcome(task));
    table::pairs([
        ("Task", Some(task.key.clone())),
        ("Label", Some(task.label.clone())),
        ("Method", task.method.clone()),
        ("Description id", Some(task.description_id.clone())),
        ("Target", entity.map(|it| format!("{} ({}:{})", target(task), it.kind, it.id))),
        ("User", task.user.clone()),
        ("State", Some(state(task))),
        ("Cancelable", Some(if task.cancelable { "yes" } else { "no" }.to_owned())),
        ("Cancelled by", task.cancel.as_ref().map(|it| table::or_dash(it.by.as_ref()))),
        ("Queued", time(Some(task.queue_time))),
        ("Started", time(task.start_time)),
        ("Completed", time(task.complete_time)),
        ("Error", task.error.as_ref().map(|_| outcome(task))),
        ("Result", result),
        ("Parent", task.parent.clone()),
    ])
}

/// Tasks by their keys.
#[derive(Debug, Args)]
pub(super) struct Keys {
    /// The tasks: task-17, 17, or Task:task-17 as govc writes it
    #[arg(required = true, value_name = "TASK", value_parser = key)]
    tasks: Vec<String>,
}

/// The key that a text means.
pub(super) fn key(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("Task:").unwrap_or(text);
    let number = bare.strip_prefix("task-").unwrap_or(bare);
    match number.parse::<u64>() {
        Ok(number) if number > 0 => Ok(format!("task-{number}")),
        _ => Err("expected a task such as task-17".to_owned()),
    }
}

impl Keys {
    /// Does something to each task; shows how they are then.
    pub(super) fn run(&self, client: &Client, out: Output, what: &str) -> Result<(), CtlError> {
        let done = |key: &String| client.post(&format!("/tasks/{key}/{what}"));
        let tasks = self.tasks.iter().map(done).collect::<Result<Vec<Task>, _>>()?;
        show(out, &TaskPage { tasks, next: None })
    }
}

/// Shows tasks as they are.
pub(super) fn show(out: Output, page: &TaskPage) -> Result<(), CtlError> {
    out.show(page, |page| table_of(&page.tasks))
}

/// How a task is completed.
#[derive(Debug, Args)]
pub(super) struct Complete {
    /// The task
    #[arg(value_parser = key)]
    task: String,

    /// What it gives, as JSON; a reference is "VirtualMachine:vm-12" [default: what it would]
    #[arg(long, value_name = "JSON", value_parser = json)]
    result: Option<serde_json::Value>,
}

impl Complete {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        lead(client, out, &self.task, "complete", &model::Complete { result: self.result.clone() })
    }
}

/// How a task fails.
#[derive(Debug, Args)]
pub(super) struct Fail {
    /// The task
    #[arg(value_parser = key)]
    task: String,

    /// The fault, a type of the vSphere schema: InvalidPowerState
    #[arg(short, long, value_name = "TYPE", default_value = "GenericVmConfigFault")]
    fault: String,

    /// The message that people read
    #[arg(short, long, value_name = "TEXT", default_value = "failed by vimsim ctl")]
    message: String,

    /// The fields of the fault, a JSON object; one called `reason` is the message if not given
    #[arg(long, value_name = "JSON", value_parser = object)]
    fields: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Fail {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let mut fields = self.fields.clone().unwrap_or_default();
        let fault = crate::schema::Type::by_name(&self.fault);
        if fault.and_then(|fault| fault.field("reason")).is_some_and(|(_, it)| !it.is_array()) {
            fields.entry("reason").or_insert_with(|| self.message.clone().into());
        }
        let how =
            model::Fail { fault: self.fault.clone(), message: Some(self.message.clone()), fields };
        lead(client, out, &self.task, "fail", &how)
    }
}

/// What a task is answered.
#[derive(Debug, Args)]
pub(super) struct Answer {
    /// The task
    #[arg(value_parser = key)]
    task: String,

    /// The key of the choice
    choice: String,
}

impl Answer {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        lead(client, out, &self.task, "answer", &model::Answer { choice: self.choice.clone() })
    }
}

/// Does something to a task; shows how it is then.
fn lead(
    client: &Client,
    out: Output,
    key: &str,
    what: &str,
    how: &impl serde::Serialize,
) -> Result<(), CtlError> {
    let task: Task = client.call("POST", &format!("/tasks/{key}/{what}"), Some(how))?;
    show(out, &TaskPage { tasks: vec![task], next: None })
}

fn json(text: &str) -> Result<serde_json::Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn object(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a JSON object: {error}"))
}
