//! Flags in the style of Go, which vcsim's users type and have in their scripts: one dash or two,
//! `-flag value` or `-flag=value`, and `-flag` or `-flag=false` for switches.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Rewrites arguments, the program's name first, into the form that clap reads.
///
/// Go's rules: a flag that takes a value takes the next argument, whatever it looks like; the
/// first argument that is no flag ends the flags. What follows a sub-command is left alone.
pub(super) fn normalize(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut out: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        let Some((name, value)) = argument.to_str().and_then(split) else {
            out.push(argument);
            break;
        };
        let mut flag = OsString::from(format!("--{name}"));
        let value = match value {
            Some(value) => Some(OsString::from(value)),
            None if takes_value(command, name) => arguments.next(),
            None => None,
        };
        if let Some(value) = value {
            flag.push("=");
            flag.push(value);
        }
        out.push(flag);
    }
    out.extend(arguments);
    out
}

/// The name and the value of a flag; `None` for what is no flag.
fn split(argument: &str) -> Option<(&str, Option<&str>)> {
    let dashed = argument.strip_prefix('-')?;
    let flag = dashed.strip_prefix('-').unwrap_or(dashed);
    let (name, value) = match flag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (flag, None),
    };
    match name {
        "" => None,
        "h" => Some(("help", value)),
        name => Some((name, value)),
    }
}

fn takes_value(command: &Command, name: &str) -> bool {
    let is_named = |argument: &&Arg| argument.get_long() == Some(name);
    command.get_arguments().find(is_named).is_some_and(|argument| {
        argument.get_action().takes_values() && !argument.is_require_equals_set()
    })
}
