//! A thousand calls that wait cost nothing until something happens that one of
//! them waits for.

use vimsim::inventory::Read;
use vimsim::path;
use vimsim::schema::ty;
use vimsim::xenapi::Value;

use super::{Client, settle, short};

#[tokio::test]
async fn a_commit_wakes_those_whom_it_concerns_and_nobody_else() {
    let client = Client::new();
    let tasks: Vec<_> = (0..1000).map(|number| client.create(&number.to_string())).collect();
    let (_, token) = client.look(&["task"], "");
    let hub = client.server.events();
    let calls: Vec<_> =
        tasks.iter().map(|task| client.from(&[&format!("task/{task}")], &token, 3600.0)).collect();
    settle().await;
    assert_eq!((hub.waiting(), hub.wakeups()), (1000, 0));
    // Commits about other objects, and about tasks that nobody waits for.
    let vm =
        client.engine().snapshot().of_type(ty::VirtualMachine).next().map(|(mo, _)| mo.clone());
    let vm = vm.expect("a machine");
    for number in 0..100 {
        let name = format!("name {number}");
        client
            .engine()
            .commit(|tx| tx.set(&vm, path!(VirtualMachine, "name"), name.as_str()))
            .expect("a name");
        client.begin(0);
    }
    settle().await;
    assert_eq!((hub.waiting(), hub.wakeups()), (1000, 0));
    assert!(client.engine().snapshot().exists(&vm));
    // One of a thousand.
    client.set("progress", &tasks[417], Value::Float(0.5));
    settle().await;
    assert_eq!(hub.wakeups(), 1);
    client.advance(std::time::Duration::from_millis(50));
    settle().await;
    assert_eq!(calls.iter().filter(|call| call.is_finished()).count(), 1);
    assert_eq!(hub.waiting(), 999);
    for (number, call) in calls.into_iter().enumerate() {
        if number == 417 {
            let reply = call.await.expect("no panic").expect("a reply");
            assert_eq!(short(&reply).0, ["mod 417"]);
        } else {
            call.abort();
        }
    }
    settle().await;
    assert_eq!(hub.waiting(), 0);
}

#[tokio::test]
async fn nobody_who_asks_for_no_events_pays_for_them() {
    let client = Client::new();
    client.create("a");
    assert!(!client.server.events().is_active());
    client.look(&["task"], "");
    assert!(client.server.events().is_active());
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_nothing_behind() {
    let client = Client::new();
    let before = client.engine().waiting();
    let (_, token) = client.look(&["task"], "");
    let call = client.from(&["task"], &token, 60.0);
    settle().await;
    assert_eq!((client.server.events().waiting(), client.engine().waiting()), (1, before + 1));
    call.abort();
    settle().await;
    assert_eq!((client.server.events().waiting(), client.engine().waiting()), (0, before));
}
