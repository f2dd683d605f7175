//! `apprun tenants`: for whom somebody acts who belongs to several tenants. A login is to one of them.

use clap::{ArgMatches, Command};
use serde::Deserialize;
use serde_json::json;

use crate::{
    arguments::{local, remote, required, text},
    context::Context,
    failure::Failure,
    output, resolve,
    server::{Body, Login, Tokens},
};

pub(super) fn definition() -> Command {
    remote("tenants", "List and choose the tenant that you act in", "")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(local("list", "List your tenants", ""))
        .subcommand(
            local("use", "Choose the tenant that later commands are about", "").arg(required(
                "tenant",
                "TENANT",
                "The tenant, by name or id",
            )),
        )
}

#[derive(Deserialize)]
struct Me {
    tenant_id: String,
    tenants: Vec<Tenant>,
}

#[derive(Deserialize)]
struct Tenant {
    tenant_id: String,
    name: String,
    /// Guests in single projects have none.
    role: Option<String>,
}

pub(super) async fn run(context: &Context, matches: &ArgMatches) -> Result<(), Failure> {
    let answer = context.api.get("/auth/me").await?;
    let me: Me = answer.data()?;
    let Some(("use", given)) = matches.subcommand() else {
        return context.answer(&answer, |me: Me| {
            let rows = me.tenants.into_iter().map(|it| {
                let chosen = if it.tenant_id == me.tenant_id { "chosen" } else { "" };
                [it.name, it.role.unwrap_or_default(), it.tenant_id, chosen.to_owned()]
            });
            output::table(["NAME", "ROLE", "ID", ""], &rows.collect::<Vec<_>>())
        });
    };
    let named = text(given, "tenant");
    let names: Vec<_> = me.tenants.iter().map(|it| it.name.clone()).collect();
    let mut tenants = me.tenants.into_iter();
    let found = tenants.find(|it| it.tenant_id == named || resolve::same(&it.name, named));
    let tenant = found.ok_or_else(|| resolve::no_such("tenant", named, &names))?;
    enter(context, &tenant.tenant_id).await?;
    context.answer(&context.api.get("/auth/me").await?, |_: Me| {
        context.say(format_args!("commands are about tenant {} now", tenant.name));
        context.next("apprun project list");
        Ok(())
    })
}

/// Makes the login one to this tenant, if it is not already; a project of another one is forgotten.
pub(super) async fn enter(context: &Context, tenant: &str) -> Result<(), Failure> {
    let me: Me = context.api.get("/auth/me").await?.data()?;
    if me.tenant_id == tenant {
        return Ok(());
    }
    let session = context.api.session();
    let Some(login) = session.login() else {
        return Err(Failure::usage("a token of APPRUN_TOKEN is for one tenant alone"));
    };
    let body = Body::json(&json!({ "tenant_id": tenant }));
    let tokens: Tokens = context.api.post("/auth/switch", &body).await?.data()?;
    session.remember(Login {
        email: login.email,
        expires_at: tokens.expires_at(),
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token,
        project: None,
    })
}
