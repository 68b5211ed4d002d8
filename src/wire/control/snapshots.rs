//! Snapshots of the whole state, by name; and the restart.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Json, Path};
use super::model::{Restart, Restarted, SnapshotList, SnapshotView};
use super::problem::Problem;
use super::server::work;
use super::{Reply, Shared, operation};
use crate::control::ControlError;

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route(
            "/snapshots",
            get_with(list, |api| {
                operation(api, "server", "listSnapshots", "List snapshots of the whole state")
            }),
        )
        .api_route(
            "/snapshots/{name}",
            put_with(save, |api| {
                operation(api, "server", "saveSnapshot", "Save the whole state under a name")
                    .description("Instead of what was called that.")
                    .response::<400, Problem>()
            })
            .delete_with(delete, |api| {
                operation(api, "server", "deleteSnapshot", "Delete a snapshot")
                    .response::<400, Problem>()
                    .response::<404, Problem>()
            }),
        )
        .api_route(
            "/snapshots/{name}/restore",
            post_with(restore, |api| {
                operation(api, "server", "restoreSnapshot", "Return to a saved state")
                    .description(
                        "Inventory, tasks, events, rules, roles and the clock are as they were. \
                         Sessions stay; who waits for changes is told of them.",
                    )
                    .response::<400, Problem>()
                    .response::<404, Problem>()
            }),
        )
        .api_route(
            "/restart",
            post_with(restart, |api| {
                operation(api, "server", "restart", "Restart the simulated server")
                    .description(
                        "As clients know it: every session ends, tasks that were at work have \
                         failed, and the tasks of before can no longer be read.",
                    )
                    .response::<400, Problem>()
            }),
        )
}

/// A snapshot in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct One {
    /// The snapshot's name: letters, digits, `.`, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,100}$"))]
    name: String,
}

impl One {
    fn checked(self) -> Result<String, Problem> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=100).contains(&self.name.len()) && self.name.bytes().all(plain) {
            return Ok(self.name);
        }
        let reason = "must be 1 to 100 letters, digits, '.', '_' and '-'";
        Err(Problem::in_url(StatusCode::BAD_REQUEST, "name", reason))
    }
}

async fn list(State(shared): State<Shared>) -> Reply<SnapshotList> {
    let all = shared.control.snapshots().list();
    Ok(Json(SnapshotList { snapshots: all.into_iter().map(SnapshotView::from).collect() }))
}

async fn save(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<SnapshotView> {
    let name = one.checked()?;
    work(move || Ok(Json(shared.control.snapshots().save(&name).into()))).await
}

async fn restore(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<SnapshotView> {
    let name = one.checked()?;
    work(move || Ok(Json(shared.control.snapshots().restore(&name)?.into()))).await
}

async fn delete(State(shared): State<Shared>, Path(one): Path<One>) -> Reply<SnapshotView> {
    let name = one.checked()?;
    let snapshots = shared.control.snapshots();
    let last = snapshots.list().into_iter().find(|saved| saved.name == name);
    let last = last.ok_or_else(|| ControlError::not_found("snapshot", &name))?;
    snapshots.delete(&name)?;
    Ok(Json(last.into()))
}

async fn restart(State(shared): State<Shared>, Json(how): Json<Restart>) -> Reply<Restarted> {
    work(move || {
        let service = shared.control.service();
        let sessions = service.sessions().len();
        let tasks = service.engine().tasks().live_len();
        shared.control.restart(how.tasks.into())?;
        Ok(Json(Restarted { sessions: sessions as u64, tasks: tasks as u64 }))
    })
    .await
}
