//! Rules: added, listed, removed.

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::extract::{Json, Path};
use super::model::{RuleList, RuleView};
use super::problem::Problem;
use super::{Reply, Shared, operation};
use crate::control::ControlError;
use crate::scenario::Rule;

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route(
            "/rules",
            get_with(list, |api| {
                operation(api, "rules", "listRules", "List rules")
                    .description("In the order in which they are tried.")
            })
            .post_with(add, |api| {
                operation(api, "rules", "addRule", "Add a rule")
                    .description(
                        "Behind the others. It is checked against the schema of the vSphere API.",
                    )
                    .response::<400, Problem>()
                    .response::<422, Problem>()
            })
            .delete_with(clear, |api| {
                operation(api, "rules", "clearRules", "Remove all rules")
                    .description("What they have begun goes on. The reply is what they were.")
            }),
        )
        .api_route(
            "/rules/{name}",
            get_with(get, |api| {
                operation(api, "rules", "getRule", "Inspect a rule").response::<404, Problem>()
            })
            .delete_with(remove, |api| {
                operation(api, "rules", "removeRule", "Remove a rule")
                    .description("What it has begun goes on. The reply is what it was.")
                    .response::<404, Problem>()
            }),
        )
}

/// A rule in a path.
#[derive(Debug, Deserialize, JsonSchema)]
struct One {
    /// The rule's name.
    name: String,
}

async fn list(State(shared): State<Shared>) -> Reply<RuleList> {
    Ok(Json(all(&shared)))
}

fn all(shared: &Shared) -> RuleList {
    let rules = shared.control.rules().list();
    RuleList { rules: rules.into_iter().map(RuleView::from).collect() }
}

async fn add(State(shared): State<Shared>, Json(rule): Json<Rule>) -> Reply<RuleView> {
    let name = shared.control.rules().add(rule).map_err(ControlError::from)?;
    one(&shared, &name)
}

fn one(shared: &Shared, name: &str) -> Reply<RuleView> {
    let rule = shared.control.rules().get(name);
    let rule = rule.ok_or_else(|| ControlError::not_found("rule", name))?;
    Ok(Json(rule.into()))
}

async fn get(State(shared): State<Shared>, Path(rule): Path<One>) -> Reply<RuleView> {
    one(&shared, &rule.name)
}

async fn remove(State(shared): State<Shared>, Path(rule): Path<One>) -> Reply<RuleView> {
    let last = one(&shared, &rule.name)?;
    shared.control.rules().remove(&rule.name);
    Ok(last)
}

async fn clear(State(shared): State<Shared>) -> Reply<RuleList> {
    let last = all(&shared);
    shared.control.rules().clear();
    Ok(Json(last))
}
