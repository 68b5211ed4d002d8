//! Tasks: listed, inspected, and led by hand.
#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a closure takes tasks of any lifetime, the method itself of one"
)]

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::transform::TransformOperation;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::access::Who;
use super::extract::{Json, Path, Query};
use super::model::{self, Answer, Complete, Fail, TaskPage};
use super::problem::Problem;
use super::{Reply, Shared, operation};
use crate::control::{Control, ControlError, Order, StateFilter, TaskQuery, Tasks, Which};
use crate::scenario::{RuleError, literal};
use crate::task::{Operation, Outcome, State as TaskState, TaskId, TaskRecord};

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route(
            "/tasks",
            get_with(list, |api| {
                operation(api, "tasks", "listTasks", "List tasks")
                    .description(
                        "Those included that only history remembers. Oldest first, in pages.",
                    )
                    .response::<400, Problem>()
                    .response::<404, Problem>()
                    .response::<409, Problem>()
            }),
        )
        .api_route("/tasks/{task}", get_with(inspect, |api| one(api, "getTask", "Inspect a task")))
        .api_route(
            "/tasks/{task}/hold",
            post_with(hold, |api| {
                lead(api, "holdTask", "Hold a task").description(
                    "It stays as it is, queued or running with its progress, until it is released. \
                 It can still be cancelled.",
                )
            }),
        )
        .api_route(
            "/tasks/{task}/release",
            post_with(release, |api| lead(api, "releaseTask", "Release a held task")),
        )
        .api_route(
            "/tasks/{task}/step",
            post_with(step, |api| {
                lead(api, "stepTask", "Take a task's next step").description(
                "At once, and the task is held there: a queued task begins, a running one makes \
                 its next report, and after the last one it ends.",
            )
            }),
        )
        .api_route(
            "/tasks/{task}/complete",
            post_with(complete, |api| {
                lead(api, "completeTask", "Complete a task")
                    .description(
                        "It ends as a success, with its effect, whatever its plan has left.",
                    )
                    .response::<422, Problem>()
            }),
        )
        .api_route(
            "/tasks/{task}/fail",
            post_with(fail, |api| {
                lead(api, "failTask", "Fail a task")
                    .description("With a fault of the schema, and without its effect.")
                    .response::<422, Problem>()
            }),
        )
        .api_route(
            "/tasks/{task}/answer",
            post_with(answer, |api| lead(api, "answerTask", "Answer what a task asks")),
        )
        .api_route(
            "/tasks/{task}/cancel",
            post_with(cancel, |api| {
                lead(api, "cancelTask", "Cancel a task").description("As a client would.")
            }),
        )
        .api_route(
            "/tasks/{task}/lose",
            post_with(lose, |api| {
                lead(api, "loseTask", "Lose a task").description(
                    "It is gone, as if it had never been. The reply is how it was last.",
                )
            }),
        )
}

/// An operation on one task.
fn one<'t>(api: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    operation(api, "tasks", id, summary).response::<400, Problem>().response::<404, Problem>()
}

/// An operation that changes how one task goes.
fn lead<'t>(api: TransformOperation<'t>, id: &str, summary: &str) -> TransformOperation<'t> {
    one(api, id, summary).response::<409, Problem>()
}

/// A task in a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct One {
    /// The key: `task-17`.
    #[schemars(regex(pattern = r"^task-[1-9][0-9]{0,17}$"))]
    task: String,
}

impl One {
    pub(super) fn id(&self) -> Result<TaskId, Problem> {
        Control::task_id(&self.task)
            .ok_or_else(|| Problem::in_url(StatusCode::BAD_REQUEST, "task", "is not a task's key"))
    }
}

/// A state to look for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TaskStateFilter {
    /// Waiting for its turn.
    Queued,
    /// Being done.
    Running,
    /// Ended well.
    Success,
    /// Failed.
    Error,
    /// Stopped on request.
    Cancelled,
    /// Queued or running.
    Live,
    /// Ended in whatever way.
    Done,
}

/// Which tasks are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// What the task acts on, or what that stands below: a reference (`vm-12`), an inventory path
    /// or a name.
    entity: Option<String>,
    /// The method, with or without `_Task`, or the description id; `*` stands for any text.
    method: Option<String>,
    /// The user who asked for it.
    user: Option<String>,
    /// Where the task is in its life.
    state: Option<TaskStateFilter>,
    /// Which tasks come first; the oldest if missing.
    order: Option<TaskOrder>,
    /// Only tasks that come after this one.
    #[schemars(regex(pattern = r"^task-[1-9][0-9]{0,17}$"))]
    after: Option<String>,
    /// How many; 100 if missing.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Which tasks come first.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TaskOrder {
    /// Those created first.
    Oldest,
    /// Those created last.
    Newest,
}

async fn list(State(shared): State<Shared>, Query(query): Query<ListQuery>) -> Reply<TaskPage> {
    let wrong = |name, detail| Problem::in_url(StatusCode::BAD_REQUEST, name, detail);
    if query.limit.is_some_and(|limit| !(1..=1000).contains(&limit)) {
        return Err(wrong("limit", "must be from 1 to 1000"));
    }
    let after = query
        .after
        .as_deref()
        .map(|key| Control::task_id(key).ok_or_else(|| wrong("after", "is not a task's key")));
    let query = TaskQuery {
        which: Which { entity: query.entity, method: query.method, user: query.user },
        state: query.state.map(|state| match state {
            TaskStateFilter::Queued => StateFilter::Is(TaskState::Queued),
            TaskStateFilter::Running => StateFilter::Is(TaskState::Running),
            TaskStateFilter::Success => StateFilter::Is(TaskState::Done(Outcome::Success)),
            TaskStateFilter::Error => StateFilter::Is(TaskState::Done(Outcome::Failure)),
            TaskStateFilter::Cancelled => StateFilter::Is(TaskState::Done(Outcome::Cancelled)),
            TaskStateFilter::Live => StateFilter::Live,
            TaskStateFilter::Done => StateFilter::Done,
        }),
        order: match query.order {
            None | Some(TaskOrder::Oldest) => Order::Oldest,
            Some(TaskOrder::Newest) => Order::Newest,
        },
        after: after.transpose()?,
        limit: query.limit.map(|limit| limit as usize),
    };
    let tasks = shared.control.tasks();
    let page = tasks.list(&query)?;
    Ok(Json(TaskPage {
        tasks: page.tasks.iter().map(|record| view(&tasks, record)).collect(),
        next: page.next.map(|id| id.to_string()),
    }))
}

/// A task as it is shown.
pub(super) fn view(tasks: &Tasks<'_>, record: &TaskRecord) -> model::Task {
    model::Task::new(record, tasks.is_held(record))
}

async fn inspect(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<model::Task> {
    let tasks = shared.control.tasks();
    Ok(Json(view(&tasks, &*tasks.get(one.id()?)?)))
}

/// Does something to a task, on a thread that may take its time: with a stepped
/// clock, what becomes due by it is done as well.
async fn led(
    shared: Shared,
    one: One,
    change: impl FnOnce(&Tasks<'_>, TaskId) -> Result<std::sync::Arc<TaskRecord>, ControlError>
    + Send
    + 'static,
) -> Reply<model::Task> {
    let id = one.id()?;
    super::server::work(move || {
        let tasks = shared.control.tasks();
        Ok(Json(view(&tasks, &*change(&tasks, id)?)))
    })
    .await
}

async fn hold(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<model::Task> {
    led(shared, one, |tasks, id| tasks.hold(id)).await
}

async fn release(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<model::Task> {
    led(shared, one, |tasks, id| tasks.release(id)).await
}

async fn step(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<model::Task> {
    led(shared, one, |tasks, id| tasks.step(id)).await
}

async fn complete(
    State(shared): State<Shared>,
    Path(one): Path<One>,
    Json(how): Json<Complete>,
) -> Reply<model::Task> {
    led(shared, one, move |tasks, id| {
        let task = tasks.get(id)?;
        let within = |error: RuleError| ControlError::from(error.within("result"));
        let result = match (&how.result, &task.operation) {
            (None, _) => None,
            (Some(json), Operation::Method(method)) => {
                literal::task_result(*method, json).map_err(within)?
            }
            (Some(_), Operation::Extension(_) | Operation::Internal(_)) => {
                let reason = "only tasks of methods can be given one";
                return Err(ControlError::invalid("result", reason));
            }
        };
        tasks.complete(id, result)
    })
    .await
}

async fn fail(
    State(shared): State<Shared>,
    Path(one): Path<One>,
    Json(how): Json<Fail>,
) -> Reply<model::Task> {
    led(shared, one, move |tasks, id| {
        let fault = literal::fault(&how.fault, how.message.as_deref(), &how.fields);
        tasks.fail(id, fault?)
    })
    .await
}

async fn answer(
    State(shared): State<Shared>,
    Path(one): Path<One>,
    Json(answer): Json<Answer>,
) -> Reply<model::Task> {
    led(shared, one, move |tasks, id| tasks.answer(id, &answer.choice)).await
}

async fn lose(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<model::Task> {
    led(shared, one, |tasks, id| tasks.lose(id)).await
}

async fn cancel(
    State(shared): State<Shared>,
    who: Who,
    Path(one): Path<One>,
) -> Reply<model::Task> {
    led(shared, one, move |tasks, id| tasks.cancel(id, who.0)).await
}
