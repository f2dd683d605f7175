//! `apprun whoami`: who the server takes the caller for.

use clap::Command;
use serde::Deserialize;

use crate::{arguments::remote, context::Context, failure::Failure, output};

pub(super) fn definition() -> Command {
    remote("whoami", "Show who you are to the server", "")
}

#[derive(Deserialize)]
struct Me {
    /// Machines have none.
    email: Option<String>,
    name: String,
    tenant_id: String,
    role: Option<String>,
    plan: String,
}

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let answer = context.api.get("/auth/me").await?;
    let project = context.api.session().login().and_then(|login| login.project);
    context.answer(&answer, |me: Me| {
        let project = project.map(|project| project.name);
        let facts = [
            ("server", Some(context.api.address().to_string())),
            ("email", me.email),
            ("name", Some(me.name)),
            ("tenant", Some(me.tenant_id)),
            ("role", me.role),
            ("plan", Some(me.plan)),
            ("project", project),
        ];
        let known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
        output::facts(&known.collect::<Vec<_>>())
    })
}
