//! `AnswerVM`: the answer to what a virtual machine asks.

use crate::engine::Refused;
use crate::fault::Fault;
use crate::inventory::Read;
use crate::path;
use crate::schema::{method, ty};
use crate::task::TaskId;
use crate::value::{Object, Value};
use crate::vsphere::call::{Call, arg};
use crate::vsphere::dispatch::{Answer, Entry, Handler};
use crate::vsphere::service::Service;

pub(in crate::vsphere) const METHODS: &[Entry] =
    &[(ty::VirtualMachine, method::AnswerVM, Handler::Now(answer))];

fn answer(service: &Service, call: &Call) -> Answer {
    let snapshot = service.engine().snapshot();
    let asked = snapshot.at(&call.this, path!(VirtualMachine, "runtime.question"));
    // "If the questionId does not apply", and none does where nothing is asked.
    let asked = asked.and_then(Value::as_object);
    let asked = asked.ok_or_else(|| Fault::invalid_argument("questionId"))?;
    let id = call.text(arg!(AnswerVM.questionId));
    let text = asked.at(path!(VirtualMachineQuestionInfo, "id")).and_then(Value::as_str);
    if text != Some(id) {
        return Err(Fault::invalid_argument("questionId"));
    }
    let choice = call.text(arg!(AnswerVM.answerChoice));
    if !has_choice(asked, choice) {
        return Err(Fault::invalid_argument("answerChoice"));
    }
    // A question's id is the number of the task that asks it.
    let task = id.parse().map(TaskId::new).map_err(|_| Fault::invalid_argument("questionId"))?;
    match service.engine().answer(&task.moref(), choice) {
        Ok(()) => Ok(None),
        Err(Refused::Fault(fault)) => Err(fault),
        Err(_) => Err(Fault::invalid_argument("questionId")),
    }
}

fn has_choice(question: &Object, key: &str) -> bool {
    let choices = question.at(path!(VirtualMachineQuestionInfo, "choice.choiceInfo"));
    choices.map(Value::items).unwrap_or_default().iter().any(|choice| {
        choice.as_object().and_then(|choice| choice.field("key")).and_then(Value::as_str)
            == Some(key)
    })
}
