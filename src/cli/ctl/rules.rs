//! `vimsim ctl rules`.

use std::io::Read as _;
use std::path::Path;
use std::{fs, io};

use clap::{Args, Subcommand};

use super::client::{Client, CtlError, encode};
use super::{Output, table};
use crate::scenario::{Rule, Scenario};
use crate::wire::control::model::{RuleList, RuleView};

/// Longer descriptions of rules are cut in tables.
const WIDTH: usize = 60;

/// Rules.
#[derive(Debug, Args)]
pub(super) struct Rules {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them (this is what happens without a word)
    List,
    /// Add those of a scenario file (TOML), or one written as JSON; - is standard input
    Add {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<String>,
    },
    /// Show one
    Show {
        /// Its name
        name: String,
    },
    /// Remove some
    Remove {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Remove all
    Clear,
}

impl Rules {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let list: RuleList = match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => client.get("/rules")?,
            Action::Clear => client.call("DELETE", "/rules", None::<&()>)?,
            Action::Show { name } => {
                let rule: RuleView = client.get(&path(name))?;
                return Output { json: true }.show(&rule, |_| String::new());
            }
            Action::Add { files } => {
                let mut rules = Vec::new();
                for file in files {
                    for rule in read(file)? {
                        rules.push(client.call("POST", "/rules", Some(&rule))?);
                    }
                }
                RuleList { rules }
            }
            Action::Remove { names } => {
                let remove = |name: &String| client.call("DELETE", &path(name), None::<&()>);
                RuleList { rules: names.iter().map(remove).collect::<Result<_, _>>()? }
            }
        };
        out.show(&list, |list| {
            let rows = list.rules.iter().map(|rule| {
                vec![
                    rule.name.clone(),
                    rule.counters.seen.to_string(),
                    rule.counters.acted.to_string(),
                    describe(&rule.rule),
                ]
            });
            table::render(&["RULE", "SEEN", "ACTED", "WHAT"], rows)
        })
    }
}

fn path(name: &str) -> String {
    format!("/rules/{}", encode(name))
}

/// What a rule says, in short.
fn describe(rule: &Rule) -> String {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::to_value(rule) else {
        return String::new();
    };
    fields.remove("name");
    let text = serde_json::Value::Object(fields).to_string();
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// The rules in a file: a scenario, or one rule as JSON.
fn read(file: &str) -> Result<Vec<Rule>, CtlError> {
    let usage = |error: &dyn std::fmt::Display| CtlError::Usage(format!("{file}: {error}"));
    let text = if file == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(Path::new(file))
    };
    let text = text.map_err(|error| usage(&error))?;
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).map(|rule| vec![rule]).map_err(|error| usage(&error));
    }
    Scenario::parse(&text).map(|scenario| scenario.rules).map_err(|error| usage(&error))
}
