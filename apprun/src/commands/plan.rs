//! `apprun plan`: gives a tenant another plan, in the database alone.

use shared::{
    config::Config,
    domain::{Plan, RequestId, TenantId},
    store::{
        Db, account,
        audit::{self, Deed},
        commit,
    },
};

use crate::{error::CommandError, wiring};

/// Holds for the next claim of a worker; requests a minute follow within one.
pub(super) async fn run(config: Config, tenant: TenantId, plan: Plan) -> Result<(), CommandError> {
    let db = Db::connect(wiring::database_url(&config)?.expose(), 1).await?;
    db.require_schema().await?;
    let mut tx = db.begin_for(tenant).await?;
    let before = account::change_plan(&mut tx, tenant, plan).await?;
    let before = before.ok_or(CommandError::NoSuchTenant { tenant })?;
    let deed = Deed {
        tenant,
        actor: None,
        action: "tenant.plan",
        resource: tenant.0,
        request: RequestId::new(),
        remote_addr: None,
        user_agent: Some(format!("apprun {}", wiring::VERSION)),
    };
    audit::record(&mut tx, deed).await?;
    commit(tx).await?;
    db.close().await;
    println!("{tenant} is on the plan {plan} now, and was on {before}");
    Ok(())
}
