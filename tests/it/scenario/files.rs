//! What is wrong with a file is told with its line and its field.

use vimsim::config::{ClockMode, Config};
use vimsim::scenario::{LoadError, Scenario};

fn refused(text: &str) -> (usize, String, String) {
    match Scenario::parse(text) {
        Err(LoadError::Wrong { line, path, message }) => (line, path, message),
        other => (0, String::new(), format!("{other:?}")),
    }
}

#[test]
fn mistakes_are_told_with_line_and_field() {
    // The text, the line, the field, and something of the message.
    let cases: &[(&str, usize, &str, &str)] = &[
        ("seed = ", 1, "", "string values must be quoted"),
        ("\nsede = 1", 2, "sede", "unknown field `sede`"),
        ("seed = 'one'", 1, "seed", "u64"),
        ("clock = 'slow'", 1, "clock", "unknown variant `slow`, expected `real` or `stepped`"),
        ("[[rule]]\nwen = {}", 2, "rule[0].wen", "unknown field `wen`"),
        ("[[rule]]\nname = 'a'", 1, "rule[0]", "says nothing of what happens"),
        ("[[rule]]\nname = ''\ntask = {}", 2, "rule[0].name", "empty"),
        (
            "[[rule]]\nname = 'a'\ntask = {}\n[[rule]]\nname = 'a'\ntask = {}",
            5,
            "rule[1].name",
            "there is a rule \"a\" already",
        ),
        (
            "[[rule]]\ntask = {}\n[rule.when]\nmethod = 'PowerOffVM'",
            4,
            "rule[0].when.method",
            "no method of the schema is called \"PowerOffVM\"",
        ),
        (
            "[[rule]]\ntask = {}\nwhen.method = ['PowerOffVM_Task', 'Zzz*']",
            3,
            "rule[0].when.method[1]",
            "no method",
        ),
        ("[[rule]]\ntask = {}\nwhen.entity.type = 'VM'", 3, "rule[0].when.entity.type", "VM"),
        ("[[rule]]\ntask = {}\nwhen.user = '[a'", 3, "rule[0].when.user", "character class"),
        ("[[rule]]\ntask = {}\nwhen.nth = 0", 3, "rule[0].when.nth", "the first time is 1"),
        ("[[rule]]\ntask = {}\nwhen.nth = 'a'", 3, "rule[0].when.nth", "one of these"),
        ("[[rule]]\ntask = {}\nwhen.probability = 1.5", 3, "rule[0].when.probability", "0 to 1"),
        ("[[rule]]\ntask.running = 10", 2, "rule[0].task.running", "a duration such as"),
        ("[[rule]]\ntask.running = '10'", 2, "rule[0].task.running", "30m, 90s, 1h15m or PT24H"),
        (
            "[[rule]]\n[rule.task.running]\ndistribution = 'uniform'\nmin = '5s'\nmax = '1s'",
            4,
            "rule[0].task.running.min",
            "longer than max",
        ),
        (
            "[[rule]]\n[rule.task]\nqueued = { distribution = 'even', min = '1s' }",
            3,
            "rule[0].task.queued.distribution",
            "unknown variant `even`",
        ),
        ("[[rule]]\ntask.progress = 'up'", 2, "rule[0].task.progress", "expected linear, none"),
        ("[[rule]]\ntask.progress = [10, 110]", 2, "rule[0].task.progress[1]", "more than 100 %"),
        (
            "[[rule]]\ntask.running = '2s'\ntask.progress = [{ after = '3s', percent = 5 }]",
            3,
            "rule[0].task.progress[0].after",
            "not before the end",
        ),
        (
            "[[rule]]\ntask.stall = { at = 101, for = '1s' }",
            2,
            "rule[0].task.stall[0].at",
            "more than 100 %",
        ),
        ("[[rule]]\ntask.stall = { at = 1 }", 2, "rule[0].task.stall", "missing field `for`"),
        ("[[rule]]\ntask.unset = { from = 50, to = 40 }", 2, "rule[0].task.unset.to", "above"),
        ("[[rule]]\ntask.cancelable = 'no'", 2, "rule[0].task.cancelable", "true, false, or"),
        ("[[rule]]\ntask.hold = 'running'", 2, "rule[0].task.hold", "\"queued\" or a table"),
        (
            "[[rule]]\ntask.question = { at = 9, text = 'a', choices = ['b'], default = 1 }",
            2,
            "rule[0].task.question.default",
            "no such choice",
        ),
        ("[[rule]]\ntask.vanish = { at = 101 }", 2, "rule[0].task.vanish.at", "more than 100 %"),
        (
            "[[rule]]\n\ntask.fail.fault = 'NoSuchFault'",
            3,
            "rule[0].task.fail.fault",
            "the schema has no fault \"NoSuchFault\"",
        ),
        ("[[rule]]\ntask.fail.fault = 'TaskInfo'", 2, "rule[0].task.fail.fault", "no fault"),
        (
            "[[rule]]\n[rule.task.fail]\nfault = 'InvalidPowerState'\nfields.existing = 'on'",
            4,
            "rule[0].task.fail.fields.existing",
            "InvalidPowerState has no such field",
        ),
        (
            "[[rule]]\n[rule.task.fail]\nfault = 'InvalidPowerState'\nfields.existingState = 'on'",
            4,
            "rule[0].task.fail.fields.existingState",
            "\"on\" is none of poweredOff, poweredOn, suspended",
        ),
        (
            "[[rule]]\n[rule.task.fail]\nfault = 'TaskInProgress'",
            3,
            "rule[0].task.fail.fault",
            "needs the field task",
        ),
        (
            "[[rule]]\n[rule.task.fail]\nfault = 'TaskInProgress'\nfields.task = 'task-1'",
            4,
            "rule[0].task.fail.fields.task",
            "a reference such as Task:",
        ),
        (
            "[[rule]]\nwhen.method = 'CloneVM_Task'\ntask.result = 7",
            3,
            "rule[0].task.result",
            "7 is not a reference such as VirtualMachine:vm-57",
        ),
        (
            "[[rule]]\nwhen.method = 'PowerOnVM_Task'\ntask.result = 'Folder:group-1'",
            3,
            "rule[0].task.result",
            "the task of PowerOnVM_Task gives nothing",
        ),
        (
            "[[rule]]\ntask.follow.method = 'PowerOn'",
            2,
            "rule[0].task.follow.method",
            "no task method",
        ),
        (
            "[[rule]]\ntask.follow.method = 'CloneVM_Task'",
            2,
            "rule[0].task.follow.method",
            "CloneVM_Task needs the argument folder",
        ),
        ("[[rule]]\nreply.fate = 'gone'", 2, "rule[0].reply.fate", "unknown variant `gone`"),
        ("[[rule]]\nreply.fault.fault = 'X'", 2, "rule[0].reply.fault.fault", "no fault"),
        (
            "[[rule]]\nwhen.method = 'CloneVM_Task'\narguments = { 'spec.power' = true }",
            3,
            "rule[0].arguments.spec.power",
            "VirtualMachineCloneSpec has no field \"power\"",
        ),
        (
            "[[rule]]\nwhen.method = 'CloneVM_Task'\narguments = { 'spec.powerOn' = 1 }",
            3,
            "rule[0].arguments.spec.powerOn",
            "1 is not a value of type boolean",
        ),
        ("[[timer]]\nrestart = 1", 2, "timer[0].restart", "boolean"),
        (
            "[[permissions]]\nrole = 'Admin'",
            1,
            "permissions[0]",
            "must have either a user or a group",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, line, path, part) in cases {
        let (at, field, message) = refused(text);
        if (at, field.as_str()) != (*line, *path) || !message.contains(part) {
            wrong.push(format!("{text}\n--- line {at}: {field}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_a_file_says_besides_rules_goes_into_the_settings() {
    let text = "clock = 'stepped'\nseed = 7\n[users.ann]\npassword = 'secret'\n\
                [[permissions]]\nuser = 'ann'\nrole = 'Admin'";
    let scenario = Scenario::parse(text).unwrap();
    let config = scenario.apply(Config::default());
    assert_eq!((config.clock, config.seed), (ClockMode::Stepped, Some(7)));
    assert!(config.access.is_some_and(|access| access.users.contains_key("ann")));
    // What the command line says about chance stays.
    let config = scenario.apply(Config { seed: Some(1), ..Config::default() });
    assert_eq!(config.seed, Some(1));
    let config = Scenario::default().apply(Config::default());
    assert_eq!((config.clock, config.seed, config.access), (ClockMode::Real, None, None));
}

#[test]
fn the_schema_in_the_examples_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scenarios/scenario.schema.json");
    let expected = format!("{:#}\n", Scenario::schema());
    if std::env::var_os("VIMSIM_WRITE").is_some() {
        std::fs::write(path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap();
    assert!(found == expected, "write it anew with `vimsim scenario-schema`, or VIMSIM_WRITE=1");
}

#[test]
fn a_rule_survives_being_written_and_read() {
    let text = include_str!("all_fields.toml");
    let scenario = Scenario::parse(text).unwrap();
    assert!(scenario.rules.len() > 3);
    for rule in &scenario.rules {
        let json = serde_json::to_string(rule).unwrap();
        let read: vimsim::scenario::Rule = serde_json::from_str(&json).unwrap();
        assert_eq!(&read, rule, "{json}");
    }
}
