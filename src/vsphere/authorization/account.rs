//! Names of users and groups, and who they are: the directory.

use std::collections::BTreeMap;
use std::fmt;

use crate::config;
use crate::value::Str;

/// The name of a user or of a group. `ann@corp.local` and `CORP.LOCAL\ann` are
/// one name, in any case; a name without a domain is in the default one.
#[derive(Clone, Debug)]
pub struct Account {
    /// What is compared.
    key: Str,
    /// What clients see: `CORP.LOCAL\ann`.
    shown: Str,
}

impl Account {
    /// The account that `text` names; `domain` is the default domain, empty on
    /// a host, which knows no domains.
    pub fn parse(text: &str, domain: &str) -> Self {
        let (domain, name) = text
            .split_once('\\')
            .or_else(|| text.rsplit_once('@').map(|(name, domain)| (domain, name)))
            .unwrap_or((domain, text));
        let shown = match domain {
            "" => name.to_owned(),
            domain => format!("{}\\{name}", domain.to_uppercase()),
        };
        Self { key: Str::from(shown.to_lowercase()), shown: Str::from(shown) }
    }

    /// What is compared.
    pub fn key(&self) -> &Str {
        &self.key
    }

    /// What clients see.
    pub fn shown(&self) -> &Str {
        &self.shown
    }

    /// The domain, in capitals; empty where there is none.
    pub fn domain(&self) -> &str {
        self.shown.split_once('\\').map_or("", |(domain, _)| domain)
    }

    /// The name without its domain.
    pub fn name(&self) -> &str {
        self.shown.split_once('\\').map_or(self.shown.as_str(), |(_, name)| name)
    }
}

impl PartialEq for Account {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Account {}

/// A user whom the directory knows.
#[derive(Clone)]
pub struct Person {
    /// The name.
    pub account: Account,
    /// The name in full; empty when it is not known.
    pub full_name: Str,
    /// The groups, by their keys.
    pub groups: Vec<Str>,
    /// The password, if it is checked.
    password: Option<Str>,
}

/// The users and groups that there are.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    domain: Str,
    people: BTreeMap<Str, Person>,
    groups: BTreeMap<Str, Account>,
    /// The groups that a group is in itself, by its key.
    above: BTreeMap<Str, Vec<Str>>,
}

impl Directory {
    /// The accounts that every product has; `login` is one more user, if it is
    /// named. On a host there are no domains.
    pub fn new(esx: bool, login: Option<&str>) -> Self {
        let mut directory =
            Self { domain: Str::from(if esx { "" } else { "vsphere.local" }), ..Self::default() };
        if esx {
            directory.add("root", "Administrator", &[]);
            directory.add("dcui", "DCUI User", &[]);
            directory.add("vpxuser", "VMware VirtualCenter administration account", &[]);
        } else {
            directory.add("Administrator", "Administrator", &["Administrators", "Users"]);
        }
        if let Some(login) = login {
            directory.add(login, "", &[]);
        }
        directory
    }

    fn add(&mut self, name: &str, full_name: &str, groups: &[&str]) {
        let account = self.account(name);
        let groups: Vec<Account> = groups.iter().map(|group| self.account(group)).collect();
        self.people.entry(account.key.clone()).or_insert_with(|| Person {
            account,
            full_name: Str::from(full_name),
            groups: groups.iter().map(|group| group.key.clone()).collect(),
            password: None,
        });
        self.add_groups(groups);
    }

    fn add_groups(&mut self, groups: impl IntoIterator<Item = Account>) {
        for group in groups {
            self.groups.entry(group.key.clone()).or_insert(group);
        }
    }

    /// Adds the users of a configuration, with the groups that it mentions.
    pub fn extend(&mut self, access: &config::Access) {
        for (name, group) in &access.groups {
            let above: Vec<Account> =
                group.groups.iter().map(|group| self.account(group)).collect();
            let account = self.account(name);
            let keys = above.iter().map(|group| group.key.clone()).collect();
            self.above.insert(account.key.clone(), keys);
            self.add_groups(above.into_iter().chain([account]));
        }
        for (name, user) in &access.users {
            let account = self.account(name);
            let groups: Vec<Account> =
                user.groups.iter().map(|group| self.account(group)).collect();
            let person = Person {
                account: account.clone(),
                full_name: Str::from(user.full_name.as_deref().unwrap_or_default()),
                groups: self.with_above(groups.iter().map(|group| group.key.clone()).collect()),
                password: user.password.as_deref().map(Str::from),
            };
            self.people.insert(account.key.clone(), person);
            self.add_groups(groups);
        }
        let named = access.permissions.iter().filter_map(|permission| permission.group.as_deref());
        let named: Vec<Account> = named.map(|group| self.account(group)).collect();
        self.add_groups(named);
    }

    /// The groups with all that they are in, however deep. Groups that are in
    /// each other do no harm: each is listed once.
    fn with_above(&self, mut groups: Vec<Str>) -> Vec<Str> {
        let mut next = 0;
        while let Some(group) = groups.get(next) {
            for above in self.above.get(group).cloned().unwrap_or_default() {
                if !groups.contains(&above) {
                    groups.push(above);
                }
            }
            next += 1;
        }
        groups
    }

    /// The account that a text names.
    pub fn account(&self, text: &str) -> Account {
        Account::parse(text, &self.domain)
    }

    /// Whether the directory has a domain, in any case.
    pub fn knows_domain(&self, domain: &str) -> bool {
        domain.eq_ignore_ascii_case(&self.domain)
            || self
                .people
                .values()
                .any(|person| person.account.domain().eq_ignore_ascii_case(domain))
            || self.groups.values().any(|group| group.domain().eq_ignore_ascii_case(domain))
    }

    /// The user of that name.
    pub fn person(&self, account: &Account) -> Option<&Person> {
        self.people.get(&account.key)
    }

    /// The group of that name.
    pub fn group(&self, account: &Account) -> Option<&Account> {
        self.groups.get(&account.key)
    }

    /// All users, by name.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Account> {
        self.groups.values()
    }
}

impl Person {
    /// Whether the password is the user's; who has none may give any.
    pub fn has_password(&self, given: &str) -> bool {
        self.password.as_deref().map_or(!given.is_empty(), |password| password == given)
    }
}

impl fmt::Debug for Person {
    /// Leaves the password out: what is shown ends up in logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Person")
            .field("account", &self.account)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_a_group_is_in_the_groups_around_it() {
        let access = config::Access::parse(
            r#"{
                "users": { "ann": { "groups": ["operators"] }, "bob": { "groups": ["staff"] } },
                "groups": {
                    "operators": { "groups": ["Staff@vsphere.local"] },
                    "staff": { "groups": ["all", "operators"] }
                }
            }"#,
        );
        let mut directory = Directory::new(false, None);
        directory.extend(&access.expect("an access file"));
        let groups = |name: &str| {
            let person = directory.person(&directory.account(name)).expect("a known user");
            let names = person.groups.iter().map(|key| key.rsplit('\\').next().unwrap_or_default());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(groups("ann"), ["operators", "staff", "all"]);
        assert_eq!(groups("bob"), ["staff", "all", "operators"]);
        assert!(directory.group(&directory.account("all")).is_some());
    }

    #[test]
    fn one_name_in_several_spellings() {
        let names = ["ann@corp.local", "CORP.LOCAL\\ann", "corp.local\\Ann"];
        for name in names {
            let account = Account::parse(name, "vsphere.local");
            assert_eq!(account, Account::parse("ann@corp.local", "other"), "{name}");
            assert_eq!(
                (account.domain(), account.name().to_lowercase().as_str()),
                ("CORP.LOCAL", "ann")
            );
        }
        let bare = Account::parse("ann", "vsphere.local");
        assert_eq!(bare.shown(), "VSPHERE.LOCAL\\ann");
        assert_ne!(bare, Account::parse("ann@corp.local", "vsphere.local"));
        let local = Account::parse("root", "");
        assert_eq!((local.shown().as_str(), local.domain(), local.name()), ("root", "", "root"));
    }
}
