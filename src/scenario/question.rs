//! The question that a virtual machine asks while its task waits.

use super::rule;
use crate::engine::{Question, Tx};
use crate::fault::Fault;
use crate::inventory::Read;
use crate::schema::ty;
use crate::task::TaskRecord;
use crate::{object, path};

/// A question as a rule describes it. Its id on the wire is the number of the
/// task, by which the answer finds the way back.
#[derive(Debug)]
pub(super) struct VmQuestion {
    question: rule::Question,
}

impl VmQuestion {
    pub(super) fn new(question: &rule::Question) -> Self {
        Self { question: question.clone() }
    }
}

impl Question for VmQuestion {
    fn ask(&self, tx: &mut Tx<'_>, task: &TaskRecord) -> bool {
        let vm = task.entity.as_ref().filter(|entity| entity.ty().is_a(ty::VirtualMachine));
        let Some(vm) = vm else {
            tracing::warn!(task = %task.id, "only a virtual machine can ask a question");
            return false;
        };
        let choices: Vec<_> = (0..)
            .zip(&self.question.choices)
            .map(|(key, label)| {
                let key = format!("{key}");
                object!(ElementDescription { label: label, summary: label, key: key })
            })
            .collect();
        let choice = object!(ChoiceOption {
            choiceInfo: choices,
            defaultIndex: i32::try_from(self.question.default).unwrap_or_default(),
        });
        let question = object!(VirtualMachineQuestionInfo {
            id: task.id.number().to_string(),
            text: &self.question.text,
            choice: choice,
        });
        tx.set(vm, path!(VirtualMachine, "runtime.question"), question).is_ok()
    }

    fn withdraw(&self, tx: &mut Tx<'_>, task: &TaskRecord) {
        let Some(vm) = &task.entity else { return };
        let own = task.id.number().to_string();
        if tx.text(vm, path!(VirtualMachine, "runtime.question.id")) == own {
            // It can only fail when there is no such machine any more.
            let _ =
                tx.set(vm, path!(VirtualMachine, "runtime.question"), None::<crate::value::Value>);
        }
    }

    fn answer(&self, choice: &str) -> Result<(), Fault> {
        let failing = self.question.failing.iter().any(|key| key.to_string() == choice);
        if failing {
            let chosen = choice.parse().ok().and_then(|key: usize| self.question.choices.get(key));
            let chosen = chosen.map_or(choice, String::as_str);
            let message = format!("{} The answer was: {chosen}.", self.question.text);
            return Err(Fault::of(ty::GenericVmConfigFault, message));
        }
        Ok(())
    }
}
