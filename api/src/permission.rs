//! Who may do what: the one table of the product. Handlers name the action, never a role; each
//! operation of the OpenAPI document stands here exactly once, which a test insists on.

use std::fmt;

use shared::domain::{ErrorCode, Role};

use crate::problem::Problem;

macro_rules! actions {
    ($($name:ident: $least:ident, $text:literal, [$($operation:ident),*];)+) => {
        /// Something that needs a role.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action {
            $($name,)+
        }

        impl Action {
            /// The least role that may do it.
            pub(crate) const fn least_role(self) -> Role {
                match self { $(Self::$name => Role::$least,)+ }
            }
        }

        /// The operations of each action, by their ids in the document.
        const GUARDED: &[(Action, &[&str])] =
            &[$((Action::$name, &[$(stringify!($operation)),*]),)+];

        impl fmt::Display for Action {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

actions! {
    CreateProject: Member, "creating a project", [createProject];
    ReadProject: Viewer, "reading a project", [getProject, listMembers];
    ChangeProject: Admin, "changing a project", [renameProject];
    DeleteProject: Owner, "deleting a project", [deleteProject];
    ReadAudit: Admin, "reading the audit record", [listAudit];
    ManageMembers: Admin, "managing members", [
        addMember, changeMember, removeMember,
        createInvitation, listInvitations, revokeInvitation
    ];
    ManageTokens: Admin, "managing project tokens", [
        createProjectToken, listProjectTokens, revokeProjectToken
    ];
    CreateFunction: Member, "creating a function", [createFunction];
    ReadFunction: Viewer, "reading a function", [
        getFunction, getBuild, listVersions, getVersionSource, getFunctionMetrics
    ];
    ChangeFunction: Member, "changing a function", [updateFunction];
    // Of anybody, where members change what they made.
    ChangeAnyFunction: Admin, "changing somebody else's function", [];
    RollBackFunction: Member, "going back to a version", [rollbackFunction];
    DeleteFunction: Admin, "deleting a function", [deleteFunction];
    InvokeFunction: Viewer, "calling a function", [
        invokeFunction, invokeFunctionAsync, invokeFunctionBatch
    ];
    ReadExecution: Viewer, "reading an execution", [
        getExecution, listExecutions, listFunctionExecutions, countExecutions, listLogs,
        getDeliveries
    ];
    ManageCallbackSecret: Admin, "managing the secret of callbacks", [rotateCallbackSecret];
    ManageDeadLetters: Admin, "managing dead letters", [
        listDeadLetters, redriveDeadLetters, purgeDeadLetters
    ];
    SeeQueue: Admin, "seeing the queue", [getQueue];
    SeeWorkers: Admin, "seeing the workers", [listWorkers];
    CancelExecution: Member, "cancelling an execution", [cancelExecution];
    ReplayExecution: Member, "running an execution again", [replayExecution];
}

/// Operations that need no token.
const OPEN: &[&str] = &["register", "login", "refresh", "health", "ready"];

/// Operations about the caller alone, and lists of what the caller has a role in: a token is enough.
const OF_THE_CALLER: &[&str] = &[
    "lookup",
    "getUsage",
    "getInfo",
    "logout",
    "me",
    "switchTenant",
    "acceptInvitation",
    "listProjects",
    "listFunctions",
];

/// What an operation asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A valid token.
    Token,
    /// A token of somebody with this role, or a higher one.
    Role(Role),
}

/// The whole table: each operation's id with what it needs.
pub fn permissions() -> Vec<(&'static str, Needs)> {
    let open = OPEN.iter().map(|operation| (*operation, Needs::Nothing));
    let of_the_caller = OF_THE_CALLER.iter().map(|operation| (*operation, Needs::Token));
    let guarded = GUARDED.iter().flat_map(|(action, operations)| {
        operations.iter().map(|operation| (*operation, Needs::Role(action.least_role())))
    });
    open.chain(of_the_caller).chain(guarded).collect()
}

impl Action {
    /// Refuses whoever has a lesser role.
    pub(crate) fn allow(self, role: Role) -> Result<(), Problem> {
        match role.covers(self.least_role()) {
            true => Ok(()),
            false => Err(Problem::lacks_role(self, Some(role))),
        }
    }

    /// Refuses whoever would deal with a role above their own.
    pub(crate) fn within(self, own: Role, other: Role) -> Result<(), Problem> {
        if own.covers(other) {
            return Ok(());
        }
        let message = format!("{self} with the role '{other}' needs that role; yours is '{own}'");
        Err(Problem::new(ErrorCode::Forbidden, message)
            .with("needs", other.as_str())
            .with("has", own.as_str()))
    }

    /// The same over the whole tenant, where guests of single projects have no role.
    pub(crate) fn allow_over_tenant(self, role: Option<Role>) -> Result<(), Problem> {
        role.map_or_else(|| Err(Problem::lacks_role(self, None)), |role| self.allow(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesser_role_is_told_which_one_is_needed() {
        assert!(Action::CreateFunction.allow(Role::Member).is_ok());
        let problem = Action::CreateFunction.allow(Role::Viewer).unwrap_err();
        assert_eq!(problem.code, ErrorCode::Forbidden);
        assert_eq!(
            problem.message,
            "creating a function needs the role 'member' or higher; yours is 'viewer'"
        );
    }
}
