//! What a change of a function and a way back answer: the version that was asked for, and what
//! serves meanwhile.

use shared::{
    domain::{FunctionId, FunctionStatus, VersionNumber},
    store::{Tx, build_report, version},
};

use super::{access, build_views::BuildSummary, views::invoke_url};
use crate::{
    auth::Caller,
    examples::{FUNCTION, MOMENT},
    permission::Action,
    problem::Problem,
    resource::Resource,
    shape::{Timestamp, view},
};

view! {
    /// A version of a function that was asked for.
    Deployed {
        /// The function.
        function_id: FunctionId = FUNCTION,
        /// Its name.
        name: String = "send-email",
        /// Its status, which a version that is still being built does not change.
        status: FunctionStatus = "active",
        /// The version that was asked for.
        version: String = "2",
        /// The version that serves at this moment; null while none does.
        serving_version: Option<String> = "1",
        /// The build it runs on; that of an earlier version when only settings change.
        build: BuildSummary = BuildSummary::example(),
        /// Where it is called.
        invoke_url: String = invoke_url(FUNCTION),
        /// When this was decided.
        updated_at: Timestamp = MOMENT,
    }
}

/// How a version of a function stands, in the transaction that asked for it: once that is durable, no
/// trouble of ours may take the answer away.
pub(super) async fn deployed(
    tx: &mut Tx,
    caller: &Caller,
    id: FunctionId,
    number: VersionNumber,
) -> Result<Deployed, Problem> {
    let tenant = caller.actor.tenant;
    let function = access::find(tx, caller, id, Action::ReadFunction).await?;
    let version = version::find(tx, tenant, id, number).await?;
    let version = version.ok_or_else(FunctionId::not_found)?;
    let build = build_report::find(tx, tenant, id, version.build).await?;
    let build = build.ok_or_else(|| Problem::internal(format!("{id} lost a build")))?;
    let serves = function.status == FunctionStatus::Active;
    Ok(Deployed {
        function_id: id,
        name: function.name,
        status: function.status,
        version: number.to_string(),
        serving_version: serves.then(|| function.version.to_string()),
        build: build.into(),
        invoke_url: invoke_url(id),
        updated_at: function.updated_at.into(),
    })
}
