//! What goes into and out of the project endpoints.

use shared::{
    domain::{ProjectId, ProjectName, Role},
    store::project,
};

use crate::shape::{Timestamp, body, view};

pub(crate) const PROJECT: &str = "proj-019b5a3c-1a2b-7c3d-9e4f-5a6b7c8d9e0f";

body! {
    /// A new project.
    NewProject [|_| 16 * 1024] {
        /// Unique in the tenant without regard to case.
        name: ProjectName = "shop",
    }
}

view! {
    /// A project that was created.
    ProjectCreated {
        /// The project.
        project_id: ProjectId = PROJECT,
        /// Its name.
        name: String = "shop",
        /// When it was created.
        created_at: Timestamp = "2025-12-26T10:00:00Z",
    }
}

view! {
    /// The project is gone, and what was in it.
    ProjectDeleted {
        /// The project.
        project_id: ProjectId = PROJECT,
        /// Always true.
        deleted: bool = true,
    }
}

view! {
    /// A project, as you see it.
    Project {
        /// The project.
        project_id: ProjectId = PROJECT,
        /// Its name.
        name: String = "shop",
        /// What you may do in it.
        role: Role = "owner",
        /// When it was created.
        created_at: Timestamp = "2025-12-26T10:00:00Z",
    }
}

impl From<project::Project> for Project {
    fn from(row: project::Project) -> Self {
        Self {
            project_id: row.id,
            name: row.name,
            role: row.role,
            created_at: row.created_at.into(),
        }
    }
}
