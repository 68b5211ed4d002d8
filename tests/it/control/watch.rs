//! Watching tasks by server-sent events.

use std::io::{BufRead as _, BufReader, Read};

use serde_json::{Value as Json, json};

use super::World;

/// An event: its name, its id, its data.
type Event = (String, String, Json);

/// Reads events as they come.
struct Events<R>(BufReader<R>);

impl<R: Read> Events<R> {
    fn of(stream: R) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next event; nothing at the end.
    fn next(&mut self) -> Option<Event> {
        let mut event: Event = Default::default();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => event.0 = name.to_owned(),
                Some(("id", id)) => event.1 = id.to_owned(),
                Some(("data", data)) => event.2 = serde_json::from_str(data).unwrap(),
                _ if line.trim_end().is_empty() && !event.0.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    fn task(&mut self) -> (String, String, Option<u64>) {
        let (name, _, task) = self.next().expect("an event");
        assert_eq!(name, "task");
        let text = |name: &str| task[name].as_str().unwrap().to_owned();
        (text("key"), text("state"), task["progress"].as_u64())
    }
}

#[test]
fn the_whole_life_of_a_task_is_seen() {
    let world = World::new();
    let mut all = Events::of(world.stream("/watch", None));
    let task = world.power_off("DC0_H0_VM0");
    assert_eq!(all.task(), (task.clone(), "queued".into(), None));
    assert_eq!(all.task(), (task.clone(), "running".into(), None));
    let mut one = Events::of(world.stream(&format!("/tasks/{task}/watch"), None));
    assert_eq!(one.task(), (task.clone(), "running".into(), None));
    world.advance("24h");
    for percent in (5..100).step_by(5) {
        let expected = (task.clone(), "running".into(), Some(percent));
        assert_eq!((all.task(), one.task()), (expected.clone(), expected));
    }
    let end = (task.clone(), "success".into(), None);
    assert_eq!((all.task(), one.task()), (end.clone(), end));
    assert_eq!(one.next(), None, "the watch of a task ends with it");
    let mut after = Events::of(world.stream(&format!("/tasks/{task}/watch"), None));
    assert_eq!(after.task().1, "success");
    assert_eq!(after.next(), None);
}

#[test]
fn a_watch_goes_on_where_it_was() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    let mut first = Events::of(world.stream("/watch", None));
    let (_, id, _) = first.next().unwrap();
    drop(first);
    world.advance("24h");
    world.power_off("DC0_H0_VM1");
    let mut events = Events::of(world.stream("/watch", Some(&id)));
    let mut seen: Vec<(String, String, Option<u64>)> = Vec::new();
    while seen.last().is_none_or(|(key, ..)| *key == task) {
        seen.push(events.task());
    }
    assert_eq!(seen.len(), 21, "19 reports, the end, and another task: {seen:?}");
    assert_eq!(seen[0], (task.clone(), "running".into(), Some(5)));
    assert_eq!(seen[19], (task, "success".into(), None));
}

#[test]
fn who_is_too_late_is_told_to_start_over() {
    let world = World::new();
    let live = world.power_off("DC0_H0_VM0");
    for id in ["7-99999", "another-0", "x"] {
        let mut events = Events::of(world.stream("/watch", Some(id)));
        assert_eq!(
            events.next().map(|(name, _, data)| (name, data)),
            Some(("reset".into(), json!({})))
        );
        assert_eq!(events.task(), (live.clone(), "running".into(), None), "{id}");
    }
}

#[test]
fn a_slow_reader_misses_nothing_unknowingly() {
    let world = World::new();
    let mut slow = Events::of(world.stream("/watch", None));
    // More changes than anybody keeps, which this one does not read.
    let task = world.power_off("DC0_H0_VM0");
    let engine = world.simulator().service().engine();
    let mo = vimsim::task::TaskId::parse(&task).unwrap().moref();
    for number in 0..30_000 {
        engine.update_progress(&mo, number % 100).unwrap();
    }
    engine.update_progress(&mo, 77).unwrap();
    let mut was_told = false;
    loop {
        let (name, _, data) = slow.next().expect("the stream goes on");
        was_told |= name == "reset";
        if was_told && data["progress"] == 77 {
            break;
        }
        assert!(was_told || data["progress"].is_null() || name == "task");
    }
}

#[test]
fn only_what_is_asked_for_is_watched() {
    let world = World::new();
    let mut events = Events::of(world.stream("/watch?entity=DC0_H0_VM1", None));
    world.power_off("DC0_H0_VM0");
    let wanted = world.power_off("DC0_H0_VM1");
    assert_eq!(events.task(), (wanted.clone(), "queued".into(), None));
    assert_eq!(events.task(), (wanted.clone(), "running".into(), None));
    world.post(&format!("/tasks/{wanted}/lose"), &json!({})).ok();
    let (name, _, data) = events.next().unwrap();
    assert_eq!((name.as_str(), &data["key"]), ("gone", &json!(wanted)));
    world.get("/tasks/task-99/watch").refused(404);
}
