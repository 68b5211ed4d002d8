//! `UserDirectory`: finding users and groups, to give them permissions.

use super::authorization::Account;
use super::call::{Call, arg};
use super::dispatch::{Answer, Entry, Handler};
use super::service::Service;
use crate::fault::Fault;
use crate::object;
use crate::schema::{method, ty};
use crate::value::{Array, Str, Value};

pub(super) const METHODS: &[Entry] =
    &[(ty::UserDirectory, method::RetrieveUserGroups, Handler::Now(search))];

fn not_found(name: &str) -> Fault {
    Fault::of(ty::NotFound, format!("'{name}' could not be found."))
}

/// What a search asks for in words.
struct Pattern<'p> {
    text: &'p str,
    exact: bool,
}

impl Pattern<'_> {
    fn fits(&self, account: &Account, full_name: &str) -> bool {
        let lower = self.text.to_lowercase();
        if self.exact {
            let names = [account.name(), account.shown().as_str()];
            return lower.is_empty() || names.iter().any(|name| name.to_lowercase() == lower);
        }
        account.shown().to_lowercase().contains(&lower) || full_name.to_lowercase().contains(&lower)
    }
}

/// Names come without their domain, as a search within one domain has them; a
/// search that names no domain looks in all.
fn search(service: &Service, call: &Call) -> Answer {
    let policy = service.authorization().policy();
    let directory = &policy.directory;
    let given = |slot| Some(call.text(slot)).filter(|text| !text.is_empty());
    let domain = given(arg!(RetrieveUserGroups.domain));
    if let Some(domain) = domain {
        if service.config().esx {
            return Err(Fault::not_supported());
        }
        if !directory.knows_domain(domain) {
            return Err(not_found(domain));
        }
    }
    let within = |account: &Account| {
        domain.is_none_or(|domain| account.domain().eq_ignore_ascii_case(domain))
    };
    let of_group = match given(arg!(RetrieveUserGroups.belongsToGroup)) {
        Some(name) => {
            let group = directory.group(&directory.account(name));
            Some(group.ok_or_else(|| not_found(name))?)
        }
        None => None,
    };
    let of_user = match given(arg!(RetrieveUserGroups.belongsToUser)) {
        Some(name) => {
            let person = directory.person(&directory.account(name));
            Some(person.ok_or_else(|| not_found(name))?)
        }
        None => None,
    };
    let pattern = Pattern {
        text: call.text(arg!(RetrieveUserGroups.searchStr)),
        exact: call.flag(arg!(RetrieveUserGroups.exactMatch)),
    };
    let mut found: Vec<Value> = Vec::new();
    let mut add = |account: &Account, full_name: Option<&Str>, group: bool| {
        found.push(Value::Object(object!(UserSearchResult {
            principal: account.name(),
            fullName: full_name,
            group: group,
        })));
    };
    // A user belongs to groups and has no members.
    if call.flag(arg!(RetrieveUserGroups.findUsers)) && of_user.is_none() {
        for person in directory.people() {
            let is_member = of_group.is_none_or(|group| person.groups.contains(group.key()));
            if is_member
                && within(&person.account)
                && pattern.fits(&person.account, &person.full_name)
            {
                let full_name = Some(&person.full_name).filter(|name| !name.is_empty());
                add(&person.account, full_name, false);
            }
        }
    }
    // Groups have no groups in them here.
    if call.flag(arg!(RetrieveUserGroups.findGroups)) && of_group.is_none() {
        for group in directory.groups() {
            let has_user = of_user.is_none_or(|person| person.groups.contains(group.key()));
            if has_user && within(group) && pattern.fits(group, "") {
                add(group, None, true);
            }
        }
    }
    Ok(Some(Value::Array(Array::new(ty::UserSearchResult, found))))
}
