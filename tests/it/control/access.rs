//! Who may use the control API, and where it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vimsim::config::{Access, ControlApi, Login};

use super::{World, any_port};

fn basic(login: &str) -> String {
    format!("Basic {}", STANDARD.encode(login))
}

#[track_caller]
fn status(world: &World, headers: &[(&str, &str)]) -> u16 {
    world.request("GET", "/clock", "", headers).status
}

#[test]
fn without_a_password_everybody_may() {
    let world = World::new();
    assert_eq!(status(&world, &[]), 200);
    assert_eq!(status(&world, &[("authorization", &basic("any:thing"))]), 200);
}

#[test]
fn with_a_password_whoever_knows_it_may() {
    let world = World::with(|config| {
        config.login = Login { username: Some("tester".into()), password: Some("secret".into()) };
    });
    let problem = world.get("/clock").refused(401);
    assert_eq!(problem["title"], "Unauthorized");
    let with = |login: &str| status(&world, &[("authorization", &basic(login))]);
    assert_eq!(with("tester:secret"), 200);
    assert_eq!(with("tester:wrong"), 401);
    assert_eq!(with("other:secret"), 401);
    assert_eq!(status(&world, &[("authorization", "Basic !")]), 401);
    assert_eq!(status(&world, &[("authorization", "Bearer x")]), 401);
    // Even what the API is made of is told to nobody else.
    assert_eq!(world.get("/openapi.json").status, 401);
    assert_eq!(world.get("/nothing").status, 401);
    // The session of the test's own client.
    let token = world.simulator().service().sessions().list()[0].token.clone();
    let cookie = format!("vmware_soap_session=\"{token}\"");
    assert_eq!(status(&world, &[("cookie", &cookie)]), 200);
    assert_eq!(status(&world, &[("cookie", "vmware_soap_session=x")]), 401);
}

#[test]
fn of_users_only_administrators_may() {
    let users = r#"{
        "users": {"tester": {"password": "secret"}, "ann": {"password": "ann"}},
        "permissions": [{"user": "tester", "role": "Admin"}, {"user": "ann", "role": "ReadOnly"}]
    }"#;
    let world = World::with(|config| config.access = Some(Access::parse(users).unwrap()));
    let with = |login: &str| status(&world, &[("authorization", &basic(login))]);
    assert_eq!(with("tester:secret"), 200);
    assert_eq!(with("ann:ann"), 403);
    assert_eq!(with("ann:secret"), 401);
    assert_eq!(status(&world, &[]), 401);
}

#[test]
fn pages_of_other_origins_may_not() {
    let world = World::new();
    let host = world.url().split('/').nth(2).unwrap().to_owned();
    assert_eq!(status(&world, &[("origin", &format!("http://{host}"))]), 200);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(status(&world, &[("origin", origin)]), 403, "{origin}");
    }
}

#[test]
fn it_can_be_switched_off_or_be_elsewhere() {
    let off = World::with(|config| config.control = ControlApi { on: false, listen: None });
    assert_eq!(off.simulator().control_url(), None);
    let main = |world: &World| {
        let base = world.simulator().url().trim_end_matches("/sdk").to_owned();
        let answer = world.agent.get(format!("{base}/vimsim/v1/clock")).call();
        answer.map(|answer| answer.status().as_u16()).unwrap()
    };
    assert_eq!(main(&off), 404);
    let apart = World::with(|config| config.control.listen = Some(any_port()));
    assert_eq!(main(&apart), 404);
    assert_eq!(status(&apart, &[]), 200);
    let sdk = apart.url().replace("/vimsim/v1", "/sdk/vimService");
    let answer = apart.agent.get(sdk).call().unwrap();
    assert_eq!(answer.status(), 404, "there is nothing else");
}
