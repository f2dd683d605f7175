//! Roles: what a member may do in a project, each including the ones before it.

use super::text_enum::text_enum;

text_enum!(
    /// viewer < member < admin < owner.
    Role { Viewer = "viewer", Member = "member", Admin = "admin", Owner = "owner" }
);

impl Role {
    /// True when this role may do what `least` may do.
    pub const fn covers(self, least: Self) -> bool {
        self as u8 >= least as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_covers_itself_and_those_before_it() {
        for (rank, role) in Role::ALL.iter().enumerate() {
            for (other_rank, other) in Role::ALL.iter().enumerate() {
                assert_eq!(role.covers(*other), rank >= other_rank, "{role} covers {other}");
            }
        }
    }
}
