//! The simulator as a whole: its inventory, and what became of calls.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Json, Query};
use super::model::{Counters, Entities, Entity};
use super::problem::Problem;
use super::{Reply, Shared, operation};

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route(
            "/counters",
            get_with(counters, |api| {
                operation(api, "server", "getCounters", "Count what became of calls")
            })
            .delete_with(reset, |api| {
                operation(api, "server", "resetCounters", "Count from zero again").description(
                    "Calls of methods that are not modelled; the counters of a rule go with \
                         it. The reply is what was counted until now.",
                )
            }),
        )
        .api_route(
            "/objects",
            get_with(objects, |api| {
                operation(api, "server", "findObjects", "Find inventory objects")
                    .description("By reference, inventory path or name.")
                    .response::<400, Problem>()
            }),
        )
}

/// Does something that may take a while, where it keeps nobody waiting.
pub(super) async fn work<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|_| {
        // The panic hook has logged where.
        let reason = "an internal error; the server's log says where";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, reason))
    })
}

async fn counters(State(shared): State<Shared>) -> Reply<Counters> {
    Ok(Json(counted(&shared)))
}

fn counted(shared: &Shared) -> Counters {
    let counters = shared.control.counters();
    let unsupported = counters.unsupported.iter();
    Counters {
        unsupported: unsupported.map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        rules: counters.rules.into_iter().map(|(name, counts)| (name, counts.into())).collect(),
    }
}

async fn reset(State(shared): State<Shared>) -> Reply<Counters> {
    let counters = counted(&shared);
    shared.control.reset_counters();
    Ok(Json(counters))
}

/// Which objects are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ObjectQuery {
    /// A reference (`vm-12`, `VirtualMachine:vm-12`), an inventory path (`/DC0/vm/DC0_H0_VM0`) or
    /// a name.
    find: String,
}

async fn objects(
    State(shared): State<Shared>,
    Query(query): Query<ObjectQuery>,
) -> Reply<Entities> {
    let objects = shared.control.objects();
    let snapshot = objects.snapshot();
    let found = objects.find(&query.find);
    let entity = |mo| Entity::new(mo, objects.name(&snapshot, mo), objects.path(&snapshot, mo));
    Ok(Json(Entities { objects: found.iter().map(entity).collect() }))
}
