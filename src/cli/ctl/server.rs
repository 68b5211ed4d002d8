//! `vimsim ctl counters`, `find`, `restart` and `snapshot`.

use clap::{Args, Subcommand};

use super::client::{Client, CtlError, encode};
use super::{Output, table};
use crate::wire::control::model;

/// What became of calls.
#[derive(Debug, Args)]
pub(super) struct Counters {
    /// Count from zero again; shows what was counted until now
    #[arg(long)]
    reset: bool,
}

impl Counters {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let counters: model::Counters = if self.reset {
            client.call("DELETE", "/counters", None::<&()>)?
        } else {
            client.get("/counters")?
        };
        out.show(&counters, |counters| {
            let rows = counters.unsupported.iter();
            let rows = rows.map(|(name, count)| vec![name.clone(), count.to_string()]);
            let methods = table::render(&["UNSUPPORTED METHOD", "CALLS"], rows);
            if counters.rules.is_empty() {
                return methods;
            }
            let rows = counters.rules.iter().map(|(name, counts)| {
                vec![name.clone(), counts.seen.to_string(), counts.acted.to_string()]
            });
            format!("{methods}\n\n{}", table::render(&["RULE", "SEEN", "ACTED"], rows))
        })
    }
}

/// Inventory objects.
#[derive(Debug, Args)]
pub(super) struct Find {
    /// A reference (vm-12), an inventory path (/DC0/vm/DC0_H0_VM0) or a name
    text: String,
}

impl Find {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let found: model::Entities =
            client.get(&format!("/objects?find={}", encode(&self.text)))?;
        let none = found.objects.is_empty();
        out.show(&found, |found| {
            let rows = found.objects.iter().map(|object| {
                vec![
                    format!("{}:{}", object.kind, object.id),
                    table::or_dash(object.name.as_ref()),
                    table::or_dash(object.path.as_ref()),
                ]
            });
            if none { String::new() } else { table::render(&["REFERENCE", "NAME", "PATH"], rows) }
        })?;
        if none { Err(CtlError::Failed(format!("there is no {}", self.text))) } else { Ok(()) }
    }
}

/// A restart.
#[derive(Debug, Args)]
pub(super) struct Restart {
    /// Leave the tasks that were at work to be read, with their errors
    #[arg(long)]
    keep_tasks: bool,
}

impl Restart {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let tasks =
            if self.keep_tasks { model::AfterRestart::Failed } else { model::AfterRestart::Gone };
        let ended: model::Restarted =
            client.call("POST", "/restart", Some(&model::Restart { tasks }))?;
        out.show(&ended, |ended| {
            table::pairs([
                ("Sessions ended", Some(ended.sessions.to_string())),
                ("Tasks interrupted", Some(ended.tasks.to_string())),
            ])
        })
    }
}

/// Snapshots of the whole state.
#[derive(Debug, Args)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them (this is what happens without a word)
    List,
    /// Save the whole state under a name
    Save {
        /// The name
        name: String,
    },
    /// Return to a state
    Restore {
        /// Its name
        name: String,
    },
    /// Delete a state
    Delete {
        /// Its name
        name: String,
    },
}

impl Snapshot {
    pub(super) fn run(&self, client: &Client, out: Output) -> Result<(), CtlError> {
        let path = |name: &str| format!("/snapshots/{}", encode(name));
        let one = match self.action.as_ref().unwrap_or(&Action::List) {
            Action::List => {
                let list: model::SnapshotList = client.get("/snapshots")?;
                return show(out, &list);
            }
            Action::Save { name } => client.call("PUT", &path(name), None::<&()>)?,
            Action::Restore { name } => client.post(&format!("{}/restore", path(name)))?,
            Action::Delete { name } => client.call("DELETE", &path(name), None::<&()>)?,
        };
        show(out, &model::SnapshotList { snapshots: vec![one] })
    }
}

fn show(out: Output, list: &model::SnapshotList) -> Result<(), CtlError> {
    out.show(list, |list| {
        let rows = list.snapshots.iter().map(|snapshot| {
            vec![
                snapshot.name.clone(),
                snapshot.time.0.to_string(),
                snapshot.objects.to_string(),
                snapshot.live_tasks.to_string(),
            ]
        });
        table::render(&["SNAPSHOT", "TIME", "OBJECTS", "LIVE TASKS"], rows)
    })
}
