//! Secrets on their way into a version: sealed here, so that no other room ever holds a value, and
//! never read back.

use shared::{
    domain::{FunctionId, MAX_VARIABLES, VariableName, Variables},
    store::secret::SecretChanges,
};

use super::fields::SecretValues;
use crate::{ApiState, problem::Problem};

/// Seals what was given, for one function.
pub(super) fn seal(
    state: &ApiState,
    function: FunctionId,
    given: Option<SecretValues>,
) -> Result<SecretChanges, Problem> {
    let mut changes = SecretChanges::default();
    let Some(SecretValues(given)) = given else { return Ok(changes) };
    for (name, value) in given {
        let Some(value) = value else {
            changes.removed.push(name);
            continue;
        };
        let Some(keys) = &state.config.secret_keys else {
            let message = "cannot be kept: this server has no key for them; its operator sets \
                           APPRUN_SECRET_KEY";
            return Err(Problem::invalid_field("secrets", message));
        };
        let sealed = keys.seal(function, name.as_str(), &value);
        changes.set.push((name, sealed));
    }
    Ok(changes)
}

/// Refuses more secrets than there may be, and a name that is both a secret and a plain variable.
pub(super) fn check_names(
    env: &Variables,
    before: &[VariableName],
    changes: &SecretChanges,
) -> Result<(), Problem> {
    let set: Vec<_> = changes.set.iter().map(|(name, _)| name).collect();
    let kept = before.iter().filter(|name| !set.contains(name) && !changes.removed.contains(name));
    let names: Vec<_> = set.iter().copied().chain(kept).collect();
    if names.len() > MAX_VARIABLES {
        let message = format!("are {} in all; at most {MAX_VARIABLES} are allowed", names.len());
        return Err(Problem::invalid_field("secrets", message));
    }
    match names.iter().find(|name| env.contains_key(**name)) {
        Some(name) => {
            let message = format!("hold '{name}', which is a secret already");
            Err(Problem::invalid_field("env", message))
        }
        None => Ok(()),
    }
}
