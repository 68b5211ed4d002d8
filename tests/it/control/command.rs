//! `vimsim ctl` as a program: what it prints, and how it exits.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use vimsim::config::{Login, Tls};

use super::World;

/// What a command printed, and its exit status.
#[derive(Debug)]
struct Ran {
    status: Option<i32>,
    out: String,
    err: String,
}

impl World {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vimsim"));
        command.arg("ctl").args(arguments).stdin(Stdio::null());
        for name in ["GOVC_URL", "GOVC_USERNAME", "GOVC_PASSWORD", "GOVC_INSECURE"] {
            command.env_remove(name);
        }
        command.env("VIMSIM_URL", self.url());
        command
    }

    fn ctl(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments))
    }

    /// What a command prints that must succeed.
    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        let ran = self.ctl(arguments);
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{arguments:?}: {ran:?}");
        ran.out
    }
}

fn ran(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn tables_for_people() {
    let world = World::new();
    let task = world.power_off("DC0_H0_VM0");
    assert_eq!(
        world.prints(&["tasks"]),
        "\
TASK    METHOD      TARGET      USER    STATE    QUEUED                TOOK  RESULT
task-1  PowerOffVM  DC0_H0_VM0  tester  running  2025-01-01T00:00:00Z  -     -
"
    );
    assert_eq!(
        world.prints(&["clock", "advance", "6h"]),
        "Now:         2025-01-01T06:00:00Z\nMode:        stepped\nNext event:  2025-01-01T07:12:00Z\n"
    );
    assert_eq!(
        world.prints(&["hold", "1"]),
        "\
TASK    METHOD      TARGET      USER    STATE             QUEUED                TOOK  RESULT
task-1  PowerOffVM  DC0_H0_VM0  tester  running 25% held  2025-01-01T00:00:00Z  -     -
"
    );
    assert_eq!(
        world.prints(&["task", &format!("Task:{task}")]),
        format!(
            "\
Task:            task-1
Label:           Power Off virtual machine
Method:          PowerOffVM_Task
Description id:  VirtualMachine.powerOff
Target:          DC0_H0_VM0 (VirtualMachine:{})
User:            tester
State:           running 25% held
Cancelable:      no
Queued:          2025-01-01T00:00:00Z
Started:         2025-01-01T00:00:00Z
",
            world.client.vm("DC0_H0_VM0").id()
        )
    );
    world.prints(&["release", "task-1"]);
    world.prints(&["clock", "idle"]);
    assert_eq!(
        world.prints(&["tasks", "--state", "done"]),
        "\
TASK    METHOD      TARGET      USER    STATE    QUEUED                TOOK      RESULT
task-1  PowerOffVM  DC0_H0_VM0  tester  success  2025-01-01T00:00:00Z  24h00m00s -
"
        .replace("24h00m00s -", "24h00m00s  -")
        .replace("TOOK      RESULT", "TOOK       RESULT")
    );
    assert_eq!(
        world
            .prints(&["find", "DC0_H0_VM0"])
            .lines()
            .nth(1)
            .map(|line| line.ends_with("  DC0_H0_VM0  /DC0/vm/DC0_H0_VM0")),
        Some(true)
    );
    assert_eq!(world.prints(&["counters"]), "UNSUPPORTED METHOD  CALLS\n");
}

#[test]
fn tasks_rules_and_states_are_led() {
    let world = World::new();
    world.power_off("DC0_H0_VM0");
    world.power_off("DC0_H0_VM1");
    let last = |text: String| text.lines().last().unwrap_or_default().to_owned();
    assert_eq!(
        last(world.prints(&["snapshot", "save", "start"])).split_whitespace().collect::<Vec<_>>()
            [..2],
        ["start", "2025-01-01T00:00:00Z"]
    );
    assert_eq!(
        last(world.prints(&["fail", "1", "-m", "no more disk"])),
        "task-1  PowerOffVM  DC0_H0_VM0  tester  error  2025-01-01T00:00:00Z  0.0s  \
         GenericVmConfigFault: no more disk"
    );
    assert!(last(world.prints(&["complete", "2"])).contains("  success  "));
    let ran = world.ctl(&["fail", "1"]);
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(1), "vimsim ctl: task-1: the task has ended\n")
    );
    let ran = world.ctl(&["task", "1", "--watch"]);
    assert_eq!(ran.status, Some(1), "it was waited for, and has failed");
    world.prints(&["snapshot", "restore", "start"]);
    assert!(world.prints(&["tasks"]).lines().skip(1).all(|line| line.contains("  running  ")));
    assert!(world.prints(&["snapshot"]).contains("start"));
    world.prints(&["snapshot", "delete", "start"]);

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("ctl-rules.toml");
    std::fs::write(
        &file,
        "[[rule]]\nname = \"stuck\"\nwhen.method = \"PowerOff*\"\ntask.hold.at = 50\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        world.prints(&["rules", "add", file]),
        "\
RULE   SEEN  ACTED  WHAT
stuck  0     0      {\"task\":{\"hold\":{\"at\":50}},\"when\":{\"method\":\"PowerOff*\"}}
"
    );
    assert_eq!(last(world.prints(&["counters"])), "stuck  0     0");
    assert!(world.prints(&["rules", "show", "stuck"]).contains("PowerOff*"));
    world.prints(&["rules", "remove", "stuck"]);
    assert_eq!(world.prints(&["rules"]), "RULE  SEEN  ACTED  WHAT\n");
    std::fs::write(file, "[[rule]]\nwhen.methud = \"x\"\n").unwrap();
    let ran = world.ctl(&["rules", "add", file]);
    assert_eq!(ran.status, Some(2), "{ran:?}");
    assert!(ran.err.contains("line 2") && ran.err.contains("methud"), "{ran:?}");
    assert_eq!(world.prints(&["restart"]), "Sessions ended:     1\nTasks interrupted:  2\n");
}

#[test]
fn documents_for_scripts() {
    let world = World::new();
    world.power_off("DC0_H0_VM0");
    let json =
        |arguments: &[&str]| -> Json { serde_json::from_str(&world.prints(arguments)).unwrap() };
    assert_eq!(json(&["--json", "tasks"])["tasks"][0]["key"], "task-1");
    assert_eq!(json(&["task", "1", "--json"])["state"], "running");
    assert_eq!(json(&["clock", "--json", "next"])["mode"], "stepped");
    assert_eq!(json(&["step", "task-1", "--json"])["tasks"][0]["held"], true);
    assert_eq!(json(&["lose", "task-1", "--json"])["tasks"][0]["key"], "task-1");
    assert_eq!(json(&["--json", "find", "/DC0/vm/DC0_H0_VM0"])["objects"][0]["name"], "DC0_H0_VM0");
    assert_eq!(json(&["counters", "--reset", "--json"])["unsupported"], serde_json::json!({}));
    assert_eq!(json(&["openapi"])["openapi"], "3.1.0");
}

#[test]
fn the_exit_status_says_what_went_wrong() {
    let world = World::new();
    for (arguments, status, words) in [
        (&["task", "99"][..], 1, "there is no task task-99"),
        (&["find", "nothing"], 1, "there is no nothing"),
        (&["hold"], 2, "required"),
        (&["hold", "x"], 2, "task-17"),
        (&["clock", "advance", "soon"], 2, "PT24H"),
        (&["nothing"], 2, "nothing"),
        (&["-u", "ftp://x", "clock"], 2, "http or https"),
        (&["-u", "http://127.0.0.1:1", "clock"], 3, "127.0.0.1:1"),
    ] {
        let ran = world.ctl(arguments);
        assert_eq!(ran.status, Some(status), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
    let real = World::with(|config| config.clock = vimsim::config::ClockMode::Real);
    let ran = real.ctl(&["clock", "next"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("the clock is real"), "{ran:?}");
    assert!(real.prints(&["clock", "stepped"]).contains("stepped"));
}

#[test]
fn a_task_is_waited_for() {
    let world = World::new();
    world.power_off("DC0_H0_VM0");
    let waiting = |arguments: &[&str]| {
        let mut waiting =
            world.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(waiting.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        (waiting, out, first)
    };
    let (mut process, out, first) = waiting(&["task", "1", "--watch"]);
    assert_eq!(first, "task-1  PowerOffVM  DC0_H0_VM0  running\n");
    world.advance("24h");
    let lines: Vec<String> = out.lines().map(Result::unwrap).collect();
    assert_eq!(lines.first().unwrap(), "task-1  PowerOffVM  DC0_H0_VM0  running 5%");
    assert_eq!(lines.last().unwrap(), "task-1  PowerOffVM  DC0_H0_VM0  success");
    assert_eq!(process.wait().unwrap().code(), Some(0));

    world.power_off("DC0_H0_VM1");
    let (mut process, _out, first) = waiting(&["tasks", "--watch", "--json"]);
    let first: Json = serde_json::from_str(&first).unwrap();
    assert_eq!((&first["event"], &first["task"]["key"]), (&"task".into(), &"task-2".into()));
    process.kill().unwrap();
    process.wait().unwrap();

    let (mut process, _out, _) = waiting(&["task", "2", "--watch"]);
    world.prints(&["lose", "2"]);
    assert_eq!(process.wait().unwrap().code(), Some(1), "a lost task has not ended well");
}

#[test]
fn a_login_is_taken_from_the_url_or_the_environment() {
    let world = World::with(|config| {
        config.tls = Tls::SelfSigned;
        config.login = Login { username: Some("tester".into()), password: Some("secret".into()) };
    });
    let ran_without = world.ctl(&["clock"]);
    assert_eq!(ran_without.status, Some(1));
    assert!(ran_without.err.contains("user name"), "{ran_without:?}");
    // Loopback: the certificate that nobody signed will do.
    let sdk = world.simulator().url().replace("https://", "https://tester:secret@");
    assert!(world.prints(&["-u", &sdk, "clock"]).contains("stepped"));
    let mut command = world.command(&["clock"]);
    command.env_remove("VIMSIM_URL").env("GOVC_URL", world.simulator().url());
    command.env("GOVC_USERNAME", "tester").env("GOVC_PASSWORD", "secret");
    assert_eq!(ran(command).status, Some(0));
    // Who names an authority wants certificates to be checked.
    let pem = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("ctl-ca.pem");
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&pem, other.cert.pem()).unwrap();
    let ran = world.ctl(&["-u", &sdk, "--ca", pem.to_str().unwrap(), "clock"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    assert!(ran.err.contains("-k"), "{ran:?}");
}

#[test]
fn help_and_completion() {
    let world = World::new();
    let help = world.prints(&["--help"]);
    for word in ["tasks", "clock", "counters", "--json", "VIMSIM_URL", "Exit status"] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = world.prints(&["completion", shell]);
        assert!(script.contains("release") && script.contains("vimsim"), "{shell}");
    }
}
