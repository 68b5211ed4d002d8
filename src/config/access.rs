//! Who may log in, and what they may do: the file behind `-users`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// Users, roles and permissions, as the file for `-users` has them.
///
/// ```
/// use vimsim::config::Access;
///
/// let access = Access::parse(
///     r#"{
///         "users": {
///             "ann": { "password": "secret", "fullName": "Ann Example", "groups": ["operators"] },
///             "root@vsphere.local": {}
///         },
///         "groups": {
///             "operators": { "groups": ["staff"] }
///         },
///         "roles": {
///             "Operator": ["VirtualMachine.Interact.*", "Global.CancelTask"]
///         },
///         "permissions": [
///             { "user": "root@vsphere.local", "role": "Admin" },
///             { "group": "operators", "role": "ReadOnly", "entity": "/DC0", "propagate": true },
///             { "user": "ann", "role": "Operator", "entity": "/DC0/vm/DC0_H0_VM0" }
///         ]
///     }"#,
/// )?;
/// assert_eq!(access.permissions.len(), 3);
/// # Ok::<(), vimsim::config::AccessError>(())
/// ```
///
/// - **Users** log in with their password; without one, with any that is not
///   empty. A name without a domain is one of `vsphere.local` (on a host, of
///   the host). A login that `-username` names is an administrator besides.
/// - **Groups** exist by having members or permissions. A group that is in other
///   groups is listed under `groups`; its members are members of those, too.
/// - **Roles** are added to the product's own, which are known by their names:
///   `Admin`, `ReadOnly`, `NoAccess` and so on. A `*` at the end of a privilege
///   stands for all that begin so.
/// - **Permissions** give a role to a user or a group on an entity, which is
///   named by its inventory path (default: the root folder), and on what is
///   below it unless `propagate` is false.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Access {
    /// The users by name.
    pub users: BTreeMap<String, User>,
    /// The groups that are members of other groups, by name.
    pub groups: BTreeMap<String, Group>,
    /// The privileges of each role, by its name.
    pub roles: BTreeMap<String, Vec<String>>,
    /// Who has which role on what.
    pub permissions: Vec<Permission>,
}

/// Someone who may log in.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct User {
    /// The password; unset, any that is not empty will do.
    pub password: Option<String>,
    /// The name in full.
    pub full_name: Option<String>,
    /// The groups that the user belongs to.
    pub groups: Vec<String>,
}

/// A group of users that is in other groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Group {
    /// The groups that the group belongs to.
    pub groups: Vec<String>,
}

impl fmt::Debug for User {
    /// Leaves the password out: settings end up in logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("User")
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("full_name", &self.full_name)
            .field("groups", &self.groups)
            .finish()
    }
}

/// A role for someone on something.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permission {
    /// The user; either this or `group` is set.
    #[serde(default)]
    pub user: Option<String>,
    /// The group.
    #[serde(default)]
    pub group: Option<String>,
    /// The name of the role.
    pub role: String,
    /// The inventory path of the entity.
    #[serde(default = "root")]
    pub entity: String,
    /// Whether the role is also held on what is below the entity.
    #[serde(default = "yes")]
    pub propagate: bool,
}

fn root() -> String {
    "/".to_owned()
}

fn yes() -> bool {
    true
}

/// Why a text is not an [`Access`].
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It is not JSON, or has not the form.
    #[error("{0}")]
    Form(#[from] serde_json::Error),
    /// A permission is not for exactly one user or group.
    #[error("permission {0} must have either a user or a group")]
    Whose(usize),
}

impl Access {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, AccessError> {
        let access: Self = serde_json::from_str(text)?;
        for (number, permission) in (1..).zip(&access.permissions) {
            if permission.user.is_some() == permission.group.is_some() {
                return Err(AccessError::Whose(number));
            }
        }
        Ok(access)
    }

    /// The user to begin with: the first who is an administrator of everything,
    /// or just the first.
    pub fn first_administrator(&self) -> Option<(&str, &User)> {
        let named = self.permissions.iter().filter(|permission| {
            permission.role == "Admin" && permission.propagate && permission.entity == "/"
        });
        named
            .filter_map(|permission| self.users.get_key_value(permission.user.as_ref()?))
            .chain(&self.users)
            .next()
            .map(|(name, user)| (name.as_str(), user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_default() -> Result<(), AccessError> {
        let access = Access::parse(r#"{"permissions": [{"group": "all", "role": "Admin"}]}"#)?;
        let expected = Permission {
            user: None,
            group: Some("all".to_owned()),
            role: "Admin".to_owned(),
            entity: "/".to_owned(),
            propagate: true,
        };
        assert_eq!(access.permissions, [expected]);
        Ok(())
    }

    #[test]
    fn one_begins_as_administrator() -> Result<(), AccessError> {
        let users = r#"{"users": {"ann": {}, "root": {}}"#;
        let first = |rest: &str| -> Result<Option<String>, AccessError> {
            let access = Access::parse(&format!("{users}{rest}}}"))?;
            Ok(access.first_administrator().map(|(name, _)| name.to_owned()))
        };
        let root = r#", "permissions": [{"user": "root", "role": "Admin"}]"#;
        assert_eq!(first(root)?.as_deref(), Some("root"));
        assert_eq!(first("")?.as_deref(), Some("ann"));
        assert_eq!(Access::default().first_administrator(), None);
        Ok(())
    }

    #[test]
    fn groups_are_in_groups() -> Result<(), AccessError> {
        let access = Access::parse(r#"{"groups": {"a": {"groups": ["b", "c"]}, "b": {}}}"#)?;
        assert_eq!(access.groups.len(), 2);
        assert_eq!(access.groups.get("a").map(|group| group.groups.len()), Some(2));
        Ok(())
    }

    #[test]
    fn mistakes_are_found() {
        for wrong in [
            r#"{"permission": []}"#,
            r#"{"users": {"ann": {"passwort": "x"}}}"#,
            r#"{"groups": {"a": {"members": []}}}"#,
            r#"{"permissions": [{"role": "Admin"}]}"#,
            r#"{"permissions": [{"user": "a", "group": "b", "role": "Admin"}]}"#,
            r#"{"permissions": [{"user": "a"}]}"#,
        ] {
            assert!(Access::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_stays_out_of_logs() {
        let user = User { password: Some("geheim".to_owned()), ..User::default() };
        assert!(!format!("{user:?}").contains("geheim"));
    }
}
