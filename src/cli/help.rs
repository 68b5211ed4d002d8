//! The text of `--help`: every flag in one aligned list, in the groups of [`super::flags`], 80
//! columns wide.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command};

const WIDTH: usize = 80;
/// Where descriptions begin.
const COLUMN: usize = 29;

const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

const TAIL: &[(&str, &[(&str, &str)])] = &[
    (
        "Users file",
        &[
            (r#"{"users": {"ann": {"password": "secret", "groups": ["operators"]}},"#, ""),
            (r#" "roles": {"Operator": ["VirtualMachine.Interact.*", "Global.CancelTask"]},"#, ""),
            (r#" "permissions": ["#, ""),
            (r#"   {"user": "ann", "role": "Admin", "entity": "/DC0", "propagate": true},"#, ""),
            (
                r#"   {"group": "operators", "role": "ReadOnly"}]}"#,
                "Only these users may log in, and whom -username names, as administrator. Roles are \
             the product's (Admin, ReadOnly, NoAccess, …) and those of the file. An entity is an \
             inventory path; without one a permission is on the root folder.",
            ),
        ],
    ),
    (
        "Examples",
        &[
            ("vimsim", "A vCenter at https://127.0.0.1:8989/sdk with four virtual machines."),
            (
                "vimsim -l :443 -username admin -password secret",
                "On all interfaces, with a login that is checked.",
            ),
            (
                "vimsim -dc 2 -cluster 4 -host 16 -vm 100",
                "A larger inventory: 1,000 virtual machines on 130 hosts.",
            ),
            (
                "vimsim -method-delay PowerOnVM:5000,CloneVM:1m -delay-jitter 0.3",
                "Power-on takes about five seconds, a clone about a minute.",
            ),
            (
                "mkfifo env; vimsim -l 127.0.0.1:0 -E env & eval \"$(cat env)\"",
                "On any free port, in the background; then GOVC_URL is set for govc.",
            ),
        ],
    ),
];

/// Renders the help of the program.
pub(super) fn render(command: &Command) -> StyledStr {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{}.\n\n{BOLD}Usage{PLAIN}\n  vimsim [FLAGS]\n",
        command.get_about().cloned().unwrap_or_default()
    );
    for task in command.get_subcommands() {
        let about = task.get_about().map(ToString::to_string).unwrap_or_default();
        entry(&mut out, &format!("vimsim {}", task.get_name()), &about);
    }
    paragraph(
        &mut out,
        "",
        "\nFlags take one dash or two, and their value as -vm 10 or -vm=10. Switches are turned on \
         by -esx and off by -tls=false. Of a repeated flag the last counts.",
    );
    let mut heading = "";
    for flag in command.get_arguments().filter(|flag| flag.get_help_heading().is_some()) {
        let group = flag.get_help_heading().unwrap_or_default();
        if group != heading {
            heading = group;
            let _ = write!(out, "\n{BOLD}{group}{PLAIN}\n");
        }
        entry(&mut out, &usage(flag), &description(flag));
    }
    for (title, lines) in TAIL {
        let _ = write!(out, "\n{BOLD}{title}{PLAIN}\n");
        for (line, meaning) in *lines {
            let _ = writeln!(out, "  {line}");
            paragraph(&mut out, "      ", meaning);
        }
    }
    paragraph(
        &mut out,
        "",
        "\nExit status: 0 after SIGINT or SIGTERM, 1 when the server cannot start, 2 for wrong \
         flags.",
    );
    StyledStr::from(out)
}

fn is_switch(flag: &Arg) -> bool {
    flag.is_require_equals_set()
}

fn usage(flag: &Arg) -> String {
    let name = flag.get_long().unwrap_or_default();
    match flag.get_value_names() {
        Some([value, ..]) if !is_switch(flag) => format!("-{name} {value}"),
        _ => format!("-{name}"),
    }
}

/// The flag's doc comment, with its default.
fn description(flag: &Arg) -> String {
    let text = flag.get_help().map(ToString::to_string).unwrap_or_default();
    match flag.get_default_values() {
        [value] if !flag.is_hide_default_value_set() => {
            let value = value.to_string_lossy();
            let value = match (is_switch(flag), value.as_ref()) {
                (true, "true") => "on",
                (true, _) => "off",
                (false, value) => value,
            };
            format!("{text} (default\u{a0}{value})")
        }
        _ => text,
    }
}

/// A name on the left, what it means on the right.
fn entry(out: &mut String, left: &str, right: &str) {
    let left = format!("  {left}");
    let fits = left.chars().count() + 2 <= COLUMN;
    if !fits {
        let _ = writeln!(out, "{left}");
    }
    let mut head = if fits { left } else { String::new() };
    for line in wrap(right, WIDTH - COLUMN) {
        let pad = COLUMN.saturating_sub(head.chars().count());
        let _ = writeln!(out, "{head}{:pad$}{line}", "");
        head.clear();
    }
}

fn paragraph(out: &mut String, indent: &str, text: &str) {
    if text.starts_with('\n') {
        out.push('\n');
    }
    for line in wrap(text, WIDTH - indent.len()) {
        let _ = writeln!(out, "{indent}{line}");
    }
}

/// Breaks a text into lines between words; a no-break space holds two together.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word.replace('\u{a0}', " "));
            }
            _ => lines.push(word.replace('\u{a0}', " ")),
        }
    }
    lines
}
