//! Who may do what: the one table of the product. Handlers name the action, never a role.

use std::fmt;

use shared::domain::Role;

use crate::problem::Problem;

macro_rules! actions {
    ($($(#[$meta:meta])* $name:ident: $least:ident, $text:literal;)+) => {
        /// Something that needs a role.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Action {
            $($(#[$meta])* $name,)+
        }

        impl Action {
            /// The least role that may do it.
            pub(crate) const fn least_role(self) -> Role {
                match self { $(Self::$name => Role::$least,)+ }
            }
        }

        impl fmt::Display for Action {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text,)+ })
            }
        }
    };
}

actions! {
    CreateProject: Member, "creating a project";
    ReadProject: Viewer, "reading a project";
    CreateFunction: Member, "creating a function";
    ReadFunction: Viewer, "reading a function";
    InvokeFunction: Viewer, "calling a function";
    ReadExecution: Viewer, "reading an execution";
}

impl Action {
    /// Refuses whoever has a lesser role.
    pub(crate) fn allow(self, role: Role) -> Result<(), Problem> {
        match role.covers(self.least_role()) {
            true => Ok(()),
            false => Err(Problem::forbidden(self, role)),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::ErrorCode;

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
