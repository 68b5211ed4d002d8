//! The clock: read, stopped, moved.

use std::time::Duration;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use axum::http::StatusCode;

use super::extract::Json;
use super::model::{Advance, ClockChange, ClockMode, ClockView, Idle};
use super::problem::Problem;
use super::server::work;
use super::{Reply, Shared, operation};

/// How far the clock runs until it is idle, if nobody says.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) fn routes() -> ApiRouter<Shared> {
    ApiRouter::new()
        .api_route(
            "/clock",
            get_with(read, |api| operation(api, "clock", "getClock", "Read the clock")).put_with(
                change,
                |api| {
                    operation(api, "clock", "setClock", "Stop the clock, or let it run")
                        .description("It goes on from where it is.")
                        .response::<400, Problem>()
                },
            ),
        )
        .api_route(
            "/clock/advance",
            post_with(advance, |api| {
                operation(api, "clock", "advanceClock", "Move a stepped clock")
                .description(
                    "By a duration or to a time. All that becomes due is done, each thing at its \
                     time, before the reply.",
                )
                .response::<400, Problem>()
                .response::<409, Problem>()
                .response::<422, Problem>()
            }),
        )
        .api_route(
            "/clock/next",
            post_with(next, |api| {
                operation(api, "clock", "advanceToNext", "Move a stepped clock to the next event")
                    .description("And do what is due then. If nothing waits, nothing happens.")
                    .response::<409, Problem>()
            }),
        )
        .api_route(
            "/clock/idle",
            post_with(idle, |api| {
                operation(api, "clock", "runUntilIdle", "Move a stepped clock until nothing waits")
                    .description("Or until what waits is due later than the limit.")
                    .response::<400, Problem>()
                    .response::<409, Problem>()
            }),
        )
}

async fn read(State(shared): State<Shared>) -> Reply<ClockView> {
    Ok(Json(shared.control.clock().state().into()))
}

async fn change(State(shared): State<Shared>, Json(change): Json<ClockChange>) -> Reply<ClockView> {
    work(move || {
        let clock = shared.control.clock();
        clock.set_stepped(change.mode == ClockMode::Stepped);
        Ok(Json(clock.state().into()))
    })
    .await
}

async fn advance(State(shared): State<Shared>, Json(by): Json<Advance>) -> Reply<ClockView> {
    let clock = move || match (by.duration, by.to) {
        (Some(duration), None) => Ok(shared.control.clock().advance(duration.0)?),
        (None, Some(time)) => Ok(shared.control.clock().advance_to(time.0)?),
        _ => Err(Problem::in_body(
            StatusCode::UNPROCESSABLE_ENTITY,
            "duration",
            "either duration or to is needed",
        )),
    };
    work(move || Ok(Json(clock()?.into()))).await
}

async fn next(State(shared): State<Shared>) -> Reply<ClockView> {
    work(move || {
        let clock = shared.control.clock();
        clock.advance_to_next()?;
        Ok(Json(clock.state().into()))
    })
    .await
}

async fn idle(State(shared): State<Shared>, Json(idle): Json<Idle>) -> Reply<ClockView> {
    let limit = idle.limit.map_or(YEAR, |span| span.0);
    work(move || Ok(Json(shared.control.clock().run_until_idle(limit)?.into()))).await
}
