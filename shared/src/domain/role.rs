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

    /// The role that counts for somebody with a role in the tenant, in the project, or in both.
    pub fn effective(in_tenant: Option<Self>, in_project: Option<Self>) -> Option<Self> {
        match (in_tenant, in_project) {
            (Some(tenant), Some(project)) if tenant.covers(project) => Some(tenant),
            (tenant, project) => project.or(tenant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_of_two_roles_counts() {
        let (low, high) = (Some(Role::Viewer), Some(Role::Admin));
        assert_eq!(Role::effective(low, high), high);
        assert_eq!(Role::effective(high, low), high);
        assert_eq!(Role::effective(low, None), low);
        assert_eq!(Role::effective(None, low), low);
        assert_eq!(Role::effective(None, None), None);
    }

    #[test]
    fn each_role_covers_itself_and_those_before_it() {
        for (rank, role) in Role::ALL.iter().enumerate() {
            for (other_rank, other) in Role::ALL.iter().enumerate() {
                assert_eq!(role.covers(*other), rank >= other_rank, "{role} covers {other}");
            }
        }
    }
}
