//! What a function may ask for: its plan says, under the operator's ceilings.

use shared::{
    config::FunctionSettings,
    domain::{
        NetworkAccess, Plan, PlanLimits, RetryPolicy, Runtime, Trigger, Variables, VersionSettings,
    },
};

use super::fields::{Env, EventNames, LimitChange, NewRetry};
use crate::{problem::Problem, shape::FieldError};

/// A Go runtime does not start in less.
const LEAST_MEMORY_MIB: u32 = 16;

/// What a body asks for; None where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) runtime: Option<Runtime>,
    pub(super) timeout: Option<u32>,
    pub(super) memory: Option<u32>,
    pub(super) network: Option<NetworkAccess>,
    pub(super) trigger: Option<Trigger>,
    pub(super) events: Option<EventNames>,
    pub(super) env: Option<Env>,
    pub(super) retry: Option<NewRetry>,
    pub(super) max_concurrency: LimitChange,
}

/// Of a function that asks for nothing.
pub(super) fn defaults(config: &FunctionSettings, plan: Plan, runtime: Runtime) -> VersionSettings {
    let limits = config.limits_of(plan);
    VersionSettings {
        runtime,
        // A default above the plan's limit is lowered: nobody asked for it.
        timeout_seconds: config.default_timeout_seconds.min(limits.timeout_seconds),
        memory_mib: config.default_memory_mib.min(limits.memory_mib),
        network: NetworkAccess::None,
        trigger: Trigger::Http,
        events: Vec::new(),
        env: Variables::new(),
        retry: RetryPolicy::default(),
        max_concurrency: None,
    }
}

impl Wanted {
    /// Takes what was asked for, and the rest from `base`, if all of it is within the limits.
    pub(super) fn over(
        self,
        base: VersionSettings,
        config: &FunctionSettings,
        plan: Plan,
    ) -> Result<VersionSettings, Problem> {
        let mut wrong = Vec::new();
        let trigger = self.trigger.unwrap_or(base.trigger);
        let kept_events = if trigger == Trigger::Event { base.events } else { Vec::new() };
        let retry = self.retry.map_or(Ok(base.retry), |retry| retry.over(base.retry));
        let settings = VersionSettings {
            runtime: self.runtime.unwrap_or(base.runtime),
            timeout_seconds: self.timeout.unwrap_or(base.timeout_seconds),
            memory_mib: self.memory.unwrap_or(base.memory_mib),
            network: self.network.unwrap_or(base.network),
            trigger,
            events: self.events.map_or(kept_events, |EventNames(events)| events),
            env: self.env.map_or(base.env, |Env(env)| env),
            retry: retry.unwrap_or_else(|message| {
                wrong.push(FieldError { field: "retry".to_owned(), message });
                base.retry
            }),
            max_concurrency: self.max_concurrency.over(base.max_concurrency),
        };
        wrong.extend(check_limits(&settings, config.limits_of(plan), plan));
        wrong.extend(check_events(&settings));
        wrong.extend(check_network(&settings, config));
        if wrong.is_empty() { Ok(settings) } else { Err(Problem::invalid(&wrong)) }
    }
}

fn check_limits(
    settings: &VersionSettings,
    limits: PlanLimits,
    plan: Plan,
) -> impl Iterator<Item = FieldError> {
    let PlanLimits { timeout_seconds, memory_mib, concurrent_executions, .. } = limits;
    let (memory, timeout) = (settings.memory_mib, settings.timeout_seconds);
    let at_once = settings.max_concurrency.unwrap_or(1);
    [
        check("timeout", timeout, 1, timeout_seconds, " seconds", plan),
        check("memory", memory, LEAST_MEMORY_MIB, memory_mib, " MiB", plan),
        check("max_concurrency", at_once, 1, concurrent_executions, "", plan),
    ]
    .into_iter()
    .flatten()
}

fn check(
    field: &str,
    value: u32,
    least: u32,
    most: u32,
    unit: &str,
    plan: Plan,
) -> Option<FieldError> {
    if (least..=most).contains(&value) {
        return None;
    }
    let message =
        format!("is {value}{unit}; on the plan '{plan}' it must be from {least} to {most}{unit}");
    Some(FieldError { field: field.to_owned(), message })
}

fn check_events(settings: &VersionSettings) -> Option<FieldError> {
    let message = match (settings.trigger, settings.events.is_empty()) {
        (Trigger::Event, true) => "must name at least one event, because the trigger is 'event'",
        (Trigger::Http, false) => "needs the trigger 'event'",
        _ => return None,
    };
    Some(FieldError { field: "events".to_owned(), message: message.to_owned() })
}

fn check_network(settings: &VersionSettings, config: &FunctionSettings) -> Option<FieldError> {
    let is_refused = settings.network == NetworkAccess::Egress && !config.allows_egress();
    let message =
        "is 'egress', which this server does not allow; its operator decides (APPRUN_EGRESS)";
    is_refused.then(|| FieldError { field: "network".to_owned(), message: message.to_owned() })
}

#[cfg(test)]
mod tests {
    use shared::config::{PayloadLimits, Plans};

    use super::*;

    fn config(default_memory_mib: u32, max_memory_mib: u32) -> FunctionSettings {
        FunctionSettings {
            temp_dir: None,
            default_timeout_seconds: 30,
            max_timeout_seconds: 300,
            default_memory_mib,
            max_memory_mib,
            max_concurrent: 100,
            plans: Plans::default(),
            egress: None,
            kept_versions: 10,
            payloads: PayloadLimits::default(),
        }
    }

    fn complaint(wanted: Wanted) -> Option<String> {
        let config = config(128, 512);
        let base = defaults(&config, Plan::Paid, Runtime::Rust);
        wanted.over(base, &config, Plan::Paid).err().map(|problem| problem.message)
    }

    fn events(names: &[&str]) -> Option<EventNames> {
        Some(EventNames(names.iter().map(|name| name.parse().unwrap()).collect()))
    }

    #[test]
    fn events_need_the_trigger_and_the_trigger_needs_events() {
        let event = || Wanted { trigger: Some(Trigger::Event), ..Wanted::default() };
        assert!(complaint(event()).unwrap().contains("'events' must name"));
        assert_eq!(complaint(Wanted { events: events(&["user.registered"]), ..event() }), None);
        let http = Wanted { events: events(&["user.registered"]), ..Wanted::default() };
        assert!(complaint(http).unwrap().contains("needs the trigger 'event'"));
    }

    #[test]
    fn back_to_the_trigger_http_drops_the_events() {
        let config = config(128, 512);
        let mut base = defaults(&config, Plan::Paid, Runtime::Rust);
        base.trigger = Trigger::Event;
        base.events = events(&["user.registered"]).unwrap().0;
        let wanted = Wanted { trigger: Some(Trigger::Http), ..Wanted::default() };
        assert_eq!(wanted.over(base, &config, Plan::Paid).unwrap().events, []);
    }

    #[test]
    fn no_function_may_run_more_calls_at_once_than_its_tenant() {
        let at_once = |max| Wanted { max_concurrency: LimitChange::To(max), ..Wanted::default() };
        assert_eq!(complaint(at_once(100)), None);
        for bad in [0, 101] {
            assert!(complaint(at_once(bad)).unwrap().contains("from 1 to 100"), "{bad}");
        }
    }

    #[test]
    fn egress_is_for_servers_that_allow_it() {
        let wanted = || Wanted { network: Some(NetworkAccess::Egress), ..Wanted::default() };
        assert!(complaint(wanted()).unwrap().contains("'network' is 'egress'"));
        let allowing = FunctionSettings { egress: Some(true), ..config(128, 512) };
        let base = defaults(&allowing, Plan::Paid, Runtime::Rust);
        let settings = wanted().over(base, &allowing, Plan::Paid).unwrap();
        assert_eq!(settings.network, NetworkAccess::Egress);
    }

    fn memory(config: &FunctionSettings, plan: Plan, asked: Option<u32>) -> Option<u32> {
        let base = defaults(config, plan, Runtime::Rust);
        let wanted = Wanted { memory: asked, ..Wanted::default() };
        wanted.over(base, config, plan).ok().map(|settings| settings.memory_mib)
    }

    #[test]
    fn limits_are_inclusive() {
        let config = config(128, 512);
        let cases = [(15, None), (16, Some(16)), (512, Some(512)), (513, None)];
        for (asked, taken) in cases {
            assert_eq!(memory(&config, Plan::Paid, Some(asked)), taken, "{asked}");
        }
    }

    #[test]
    fn the_operators_ceiling_is_above_every_plan() {
        assert_eq!(memory(&config(64, 64), Plan::Paid, Some(65)), None);
    }

    #[test]
    fn a_default_that_is_over_the_plan_is_lowered_to_it() {
        let config = config(256, 512);
        assert_eq!(memory(&config, Plan::Paid, None), Some(256));
        assert_eq!(memory(&config, Plan::Free, None), Some(128));
    }
}
