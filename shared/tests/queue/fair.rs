//! Fairness and limits: a flood slows nobody else down, and no limit is ever exceeded.

use std::collections::{HashMap, HashSet};

use shared::{
    domain::{FunctionId, Plan, TenantId},
    queue::{self, Class, FreeSlots},
};

use crate::fixture::{Fixture, PLENTY, rounds};

fn calls(slots: u32) -> FreeSlots {
    FreeSlots { executions: slots, background: slots, builds: 0 }
}

#[tokio::test]
async fn a_flood_of_one_tenant_delays_anothers_job_by_one_turn() {
    let q = Fixture::new().await;
    let (flood, lease) = (TenantId::new(), q.lease().await);
    for _ in 0..20 {
        q.push_many(Class::Async, flood, FunctionId::new(), 50).await;
    }
    // Ids grow with time: the round comes to the flood first, then to each of these.
    let mut rounds = rounds();
    for _ in 0..2 {
        let quiet = q.push(Class::Async).await;
        let claimed = rounds.claim(&q.db, lease, calls(20)).await.unwrap();
        assert_eq!(claimed.jobs.len(), 20);
        assert!(claimed.calls_left_behind);
        assert!(claimed.jobs.iter().any(|job| job.subject == quiet));
    }
}

#[tokio::test]
async fn with_one_slot_tenants_take_turns_and_so_do_a_tenants_functions() {
    let q = Fixture::new().await;
    let lease = q.lease().await;
    let tenants = [TenantId::new(), TenantId::new(), TenantId::new()];
    for tenant in tenants {
        for _ in 0..2 {
            q.push_many(Class::Async, tenant, FunctionId::new(), 10).await;
        }
    }
    let (mut rounds, mut turns) = (rounds(), HashMap::new());
    for _ in 0..12 {
        let claimed = rounds.claim(&q.db, lease, calls(1)).await.unwrap();
        *turns.entry(claimed.jobs[0].tenant).or_insert(0) += 1;
    }
    assert_eq!(turns, tenants.map(|tenant| (tenant, 4)).into());
    let per_function: Vec<i64> = sqlx::query_scalar(
        "select count(*) from q.job where lease_id is not null group by function_id",
    )
    .fetch_all(&q.sql)
    .await
    .unwrap();
    assert_eq!(per_function, [2; 6]);
}

#[tokio::test]
async fn a_single_line_is_taken_in_its_order_as_far_as_room_and_limits_go() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Free).await;
    let function = q.function(owner, Some(4)).await;
    let line = q.push_many(Class::Sync, owner.tenant, function, 20).await;
    let (mut rounds, lease, mut taken) = (rounds(), q.lease().await, Vec::new());
    for (room, expected) in [(3, 3), (3, 1), (3, 0)] {
        let claimed = rounds.claim(&q.db, lease, calls(room)).await.unwrap();
        assert_eq!(claimed.jobs.len(), expected, "the function allows four at once");
        assert!(claimed.calls_left_behind);
        taken.extend(claimed.jobs);
    }
    let subjects: HashSet<_> = taken.iter().map(|job| job.subject).collect();
    assert_eq!(subjects, line[..4].iter().copied().collect());
    q.settle(&taken[0]).await.unwrap();
    assert_eq!(rounds.claim(&q.db, lease, calls(3)).await.unwrap().jobs[0].subject, line[4]);
}

#[tokio::test]
async fn callers_who_wait_do_not_starve_those_who_do_not() {
    let q = Fixture::new().await;
    q.push_many(Class::Sync, TenantId::new(), FunctionId::new(), 20).await;
    q.push(Class::Async).await;
    let (mut rounds, lease, mut claimed) = (rounds(), q.lease().await, Vec::new());
    for _ in 0..8 {
        claimed.extend(rounds.claim(&q.db, lease, calls(1)).await.unwrap().jobs);
    }
    let of = |class| claimed.iter().filter(|job| job.claim.class == class).count();
    assert_eq!((of(Class::Sync), of(Class::Async)), (7, 1));
}

#[tokio::test]
async fn a_plan_limits_a_tenants_calls_however_many_claim() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Free).await;
    for _ in 0..3 {
        let function = q.function(owner, None).await;
        q.push_many(Class::Sync, owner.tenant, function, 50).await;
        q.push_many(Class::Async, owner.tenant, function, 50).await;
    }
    let claimers = (0..4).map(|_| {
        let db = q.db.clone();
        tokio::spawn(async move {
            let lease = queue::open_lease(&db, &"test".into()).await.unwrap();
            let (mut rounds, mut mine) = (rounds(), Vec::new());
            for _ in 0..5 {
                mine.extend(rounds.claim(&db, lease, calls(4)).await.unwrap().jobs);
            }
            mine
        })
    });
    let mut all = Vec::new();
    for claimer in claimers.collect::<Vec<_>>() {
        all.extend(claimer.await.unwrap());
    }
    let limit = Plan::Free.limits().concurrent_executions as usize;
    assert_eq!(all.len(), limit);

    q.settle(&all[0]).await.unwrap();
    let lease = q.lease().await;
    assert_eq!(q.claim(lease, PLENTY).await.len(), 1, "a settled call makes room for one");
}

#[tokio::test]
async fn a_function_has_its_own_limit_which_a_lost_worker_does_not_use_up() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Paid).await;
    let (narrow, wide) = (q.function(owner, Some(2)).await, q.function(owner, None).await);
    q.push_many(Class::Async, owner.tenant, narrow, 20).await;
    q.push_many(Class::Async, owner.tenant, wide, 20).await;
    let lost = q.lease().await;
    assert_eq!(q.claim(lost, PLENTY).await.len(), 22);
    let lease = q.lease().await;
    assert!(q.claim(lease, PLENTY).await.is_empty());
    q.expire(lost).await;
    q.reap().await;
    assert_eq!(q.claim(lease, PLENTY).await.len(), 22);
}

#[tokio::test]
async fn a_tenant_at_its_limit_holds_up_nobody_and_its_builds_neither() {
    let q = Fixture::new().await;
    let owner = q.tenant(Plan::Free).await;
    let function = q.function(owner, None).await;
    q.push_many(Class::Async, owner.tenant, function, 500).await;
    let lease = q.lease().await;
    assert_eq!(q.claim(lease, PLENTY).await.len(), 10);

    q.push_for(Class::Build, owner.tenant, function).await;
    q.push(Class::Async).await;
    let claimed = rounds().claim(&q.db, lease, PLENTY).await.unwrap();
    assert_eq!(claimed.jobs.len(), 2);
    assert!(claimed.calls_left_behind && !claimed.builds_left_behind);
}

#[tokio::test]
async fn slots_are_kept_for_callers_who_wait_and_async_calls_get_their_share() {
    let q = Fixture::new().await;
    let lease = q.lease().await;
    q.push_many(Class::Async, TenantId::new(), FunctionId::new(), 100).await;
    let free = FreeSlots { executions: 4, background: 3, builds: 0 };
    assert_eq!(q.claim(lease, free).await.len(), 3);

    // A flood of sync calls: one claim in eight begins with the others.
    q.push_many(Class::Sync, TenantId::new(), FunctionId::new(), 100).await;
    let (mut rounds, mut of_class) = (rounds(), HashMap::new());
    for _ in 0..16 {
        let claimed = rounds.claim(&q.db, lease, calls(1)).await.unwrap();
        *of_class.entry(claimed.jobs[0].claim.class).or_insert(0) += 1;
    }
    assert_eq!(of_class, HashMap::from([(Class::Sync, 14), (Class::Async, 2)]));
}

#[tokio::test]
async fn hundreds_of_tenants_at_their_limits_are_walked_past_in_bounded_claims() {
    let q = Fixture::new().await;
    sqlx::query(
        "with t as (
             insert into tenant (id, name, plan)
             select ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 't', 'free'
             from generate_series(1, 300) i returning id)
         insert into q.job (kind, subject_id, class, tenant_id, function_id, request_id, lease_id, token)
         select 'execute', gen_random_uuid(), 1, id, id, id, nullif(i > 1, false)::int,
                nullif(i > 1, false)::int
         from t, generate_series(1, 11) i",
    )
    .execute(&q.sql)
    .await
    .unwrap();
    let quiet = q.push(Class::Async).await;
    let (mut rounds, lease) = (rounds(), q.lease().await);
    // 64 visits a claim: the fifth at the latest reaches the 301st tenant.
    for claims in 1.. {
        let claimed = rounds.claim(&q.db, lease, calls(4)).await.unwrap();
        if let [job] = &claimed.jobs[..] {
            assert_eq!(job.subject, quiet);
            break;
        }
        assert!(claims < 5 && claimed.calls_left_behind);
    }
}
