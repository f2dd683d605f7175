//! What goes into and out of the project endpoints.

use shared::{
    domain::{ProjectId, ProjectName, Role},
    store::project,
};

use crate::{
    body::SHORT_BYTES,
    examples::{MOMENT, PROJECT},
    shape::{Timestamp, body, view},
};

body! {
    /// A new project.
    NewProject [|_| SHORT_BYTES] {
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
        created_at: Timestamp = MOMENT,
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
        created_at: Timestamp = MOMENT,
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
