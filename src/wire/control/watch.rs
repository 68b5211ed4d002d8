//! Watching tasks by server-sent events.
//!
//! ```text
//!   event: task     a task is there, or has changed
//!   event: gone     a task is lost or forgotten; this is how it was last
//!   event: reset    forget what you know: all live tasks follow
//! ```
//!
//! The id of an event is a place in the feed of changes. A client that comes
//! again with it as `Last-Event-ID` goes on from there, or is told to start
//! over if the feed does not reach back that far. A client that reads too
//! slowly is told so too: nobody keeps more than a few changes for it.

use std::convert::Infallible;
use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use aide::generate::GenContext;
use aide::openapi::{
    MediaType, Operation, Response as Described, SchemaObject, StatusCode as Code,
};
use aide::{OperationInput, OperationOutput};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Path, Query};
use super::model;
use super::problem::Problem;
use super::tasks::{One, view};
use super::{Shared, operation};
use crate::connection::Shutdown;
use crate::control::{Watch, WatchEvent, Which};

/// A connection on which nothing happens says so this often, so that neither
/// end nor anything in between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route("/watch", get_with(all, |api| {
            operation(api, "tasks", "watchTasks", "Watch tasks")
                .description(
                    "The live tasks as they are, then every change, as server-sent events. Those \
                     named `task` and `gone` carry a task; `reset` says to forget what was known, \
                     and all live tasks follow. With `Last-Event-ID` the watch goes on where it was.",
                )
                .response::<400, Problem>()
                .response::<404, Problem>()
                .response::<409, Problem>()
        }))
        .api_route("/tasks/{task}/watch", get_with(one, |api| {
            operation(api, "tasks", "watchTask", "Watch a task until it has ended")
                .description("As it is, then every change, as server-sent events.")
                .response::<400, Problem>()
                .response::<404, Problem>()
        }))
}

/// Which tasks are watched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WatchQuery {
    /// What the task acts on, or what that stands below: a reference (`vm-12`), an inventory path
    /// or a name.
    entity: Option<String>,
    /// The method, with or without `_Task`, or the description id; `*` stands for any text.
    method: Option<String>,
    /// The user who asked for it.
    user: Option<String>,
}

/// A stream of events about tasks.
struct Events(Response);

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        self.0
    }
}

impl OperationOutput for Events {
    type Inner = model::Task;

    fn operation_response(context: &mut GenContext, _: &mut Operation) -> Option<Described> {
        // What the stream is made of has a schema of its own; the stream is text.
        let _ = context.schema.subschema_for::<model::Task>();
        let json_schema = context.schema.subschema_for::<String>();
        let schema = SchemaObject { json_schema, example: None, external_docs: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        Some(Described {
            description: "Server-sent events, whose data are documents of type `Task`.".to_owned(),
            content: [("text/event-stream".to_owned(), media)].into_iter().collect(),
            ..Described::default()
        })
    }

    fn inferred_responses(
        context: &mut GenContext,
        operation: &mut Operation,
    ) -> Vec<(Option<Code>, Described)> {
        let response = Self::operation_response(context, operation);
        response.map(|it| (Some(Code::Code(200)), it)).into_iter().collect()
    }
}

/// What the server and the client say about the connection.
struct Line {
    shutdown: Option<Shutdown>,
    last: Option<String>,
}

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Line {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Infallible> {
        Ok(Self { shutdown: parts.extensions.get().cloned(), last: last_event_id(&parts.headers) })
    }
}

impl OperationInput for Line {}

fn last_event_id(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("last-event-id")?.to_str().ok()?.to_owned())
}

async fn all(
    State(shared): State<Shared>,
    line: Line,
    Query(query): Query<WatchQuery>,
) -> Result<Events, Problem> {
    let which = Which { entity: query.entity, method: query.method, user: query.user };
    let watch = shared.control.tasks().watch(&which)?;
    Ok(serve(shared, watch, line))
}

async fn one(
    State(shared): State<Shared>,
    line: Line,
    Path(one): Path<One>,
) -> Result<Events, Problem> {
    let watch = shared.control.tasks().watch_one(one.id()?)?;
    Ok(serve(shared, watch, line))
}

fn serve(shared: Shared, mut watch: Watch, line: Line) -> Events {
    if let Some(last) = line.last {
        // The id of another run leads nowhere, like one from long ago.
        let place = last.strip_prefix(&*shared.run).and_then(|rest| rest.strip_prefix('-'));
        watch.resume(place.and_then(|place| place.parse().ok()).unwrap_or(u64::MAX));
    }
    let shutdown = line.shutdown.unwrap_or_default();
    let keep = KeepAlive::new().interval(KEEP_ALIVE);
    Events(Sse::new(events(shared, watch, shutdown)).keep_alive(keep).into_response())
}

fn events(
    shared: Shared,
    watch: Watch,
    shutdown: Shutdown,
) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold((shared, watch, shutdown), |(shared, mut watch, shutdown)| async {
        let (place, event) = tokio::select! {
            event = watch.next() => event?,
            () = shutdown.begun() => return None,
        };
        let tasks = shared.control.tasks();
        let (name, data) = match event {
            WatchEvent::Task(record) => ("task", text(&view(&tasks, &record))),
            WatchEvent::Gone(record) => ("gone", text(&view(&tasks, &record))),
            WatchEvent::Reset => ("reset", "{}".to_owned()),
        };
        let id = format!("{}-{place}", shared.run);
        Some((Ok(Event::default().event(name).id(id).data(data)), (shared, watch, shutdown)))
    })
}

fn text(task: &model::Task) -> String {
    serde_json::to_string(task).unwrap_or_default()
}
