//! What holds for any jobs, tenants, limits and marks: drawn at random, from a seed that a failure
//! names.

use std::collections::{HashMap, HashSet};

use shared::{
    domain::{FunctionId, Plan, TenantId},
    queue::{ClaimedJob, Class, FreeSlots},
};
use uuid::Uuid;

use crate::fixture::{Fixture, rounds};

/// splitmix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Functions with their tenants and limits.
struct World {
    functions: Vec<(TenantId, FunctionId, Option<i32>)>,
    plans: HashMap<TenantId, Plan>,
}

impl Fixture {
    async fn world(&self, dice: &mut Dice) -> World {
        let (mut functions, mut plans) = (Vec::new(), HashMap::new());
        for _ in 0..2 + dice.below(4) {
            let plan = if dice.below(2) == 0 { Plan::Free } else { Plan::Paid };
            let owner = self.tenant(plan).await;
            plans.insert(owner.tenant, plan);
            for _ in 0..1 + dice.below(3) {
                let limit = (dice.below(2) == 0).then(|| 1 + dice.below(4) as i32);
                let function = self.function(owner, limit).await;
                functions.push((owner.tenant, function, limit));
            }
        }
        World { functions, plans }
    }
}

fn check_limits(world: &World, functions: &HashMap<Uuid, FunctionId>, running: &[ClaimedJob]) {
    let (mut by_tenant, mut by_function) = (HashMap::new(), HashMap::new());
    for job in running {
        *by_tenant.entry(job.tenant).or_insert(0) += 1;
        *by_function.entry(functions[&job.subject]).or_insert(0) += 1;
    }
    for (tenant, count) in by_tenant {
        let limit = world.plans[&tenant].limits().concurrent_executions;
        assert!(count <= limit, "{count} of a tenant run, {limit} may");
    }
    for (_, function, limit) in &world.functions {
        let count = by_function.get(function).copied().unwrap_or(0);
        assert!(limit.is_none_or(|limit| count <= limit), "{count} of a function run");
    }
}

#[tokio::test]
async fn limits_hold_after_every_claim_and_everything_has_its_turn() {
    for seed in 0..6 {
        println!("seed {seed}");
        let (q, mut dice) = (Fixture::new().await, Dice(seed));
        let world = q.world(&mut dice).await;
        let (lease, mut rounds) = (q.lasting_lease().await, rounds());
        let (mut functions, mut running) = (HashMap::new(), Vec::<ClaimedJob>::new());
        for _ in 0..10 {
            for _ in 0..dice.below(5) {
                let (tenant, function, _) =
                    world.functions[dice.below(world.functions.len() as u64) as usize];
                let class = if dice.below(2) == 0 { Class::Sync } else { Class::Async };
                let count = 1 + dice.below(12) as usize;
                for subject in q.push_many(class, tenant, function, count).await {
                    functions.insert(subject, function);
                }
            }
            let slots = 1 + dice.below(30) as u32;
            let background = dice.below(u64::from(slots) + 1) as u32;
            let free = FreeSlots { executions: slots, background, builds: 0 };
            let claimed = rounds.claim(&q.db, lease, free).await.unwrap().jobs;
            assert!(claimed.len() <= slots as usize);
            let in_background = |job: &&ClaimedJob| job.claim.class == Class::Async;
            assert!(claimed.iter().filter(in_background).count() <= background as usize);
            running.extend(claimed);
            check_limits(&world, &functions, &running);
            for _ in 0..dice.below(running.len() as u64 + 1) {
                let job = running.swap_remove(dice.below(running.len() as u64) as usize);
                q.settle(&job).await.unwrap();
            }
        }
        let free = FreeSlots { executions: 7, background: 7, builds: 0 };
        while q.live_jobs().await > 0 {
            running.extend(rounds.claim(&q.db, lease, free).await.unwrap().jobs);
            check_limits(&world, &functions, &running);
            assert!(!running.is_empty(), "what waits and may run is claimed");
            for job in running.drain(..) {
                q.settle(&job).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_claim_with_marks_finds_every_job_behind_them_and_none_before() {
    for seed in 0..8 {
        println!("seed {seed}");
        let (q, mut dice) = (Fixture::new().await, Dice(seed));
        let lease = q.lasting_lease().await;
        let tenants: Vec<_> = (0..4).map(|_| TenantId::new()).collect();
        let lanes: Vec<_> =
            (0..8).map(|_| (tenants[dice.below(4) as usize], FunctionId::new())).collect();
        for _ in 0..30 {
            let (tenant, function) = lanes[dice.below(8) as usize];
            q.push_many(Class::Async, tenant, function, 1 + dice.below(4) as usize).await;
        }
        let last: i64 =
            sqlx::query_scalar("select max(id) from q.job").fetch_one(&q.sql).await.unwrap();
        // Also marks of lanes that have no jobs, and marks behind every job.
        let marked: Vec<_> = lanes
            .iter()
            .step_by(2)
            .copied()
            .chain([(tenants[0], FunctionId::new()), (TenantId::new(), FunctionId::new())])
            .map(|(tenant, function)| (tenant.0, function.0, dice.below(last as u64 + 9) as i64))
            .collect();
        let jobs: Vec<(Uuid, Uuid, i64)> =
            sqlx::query_as("select tenant_id, function_id, id from q.job")
                .fetch_all(&q.sql)
                .await
                .unwrap();
        let behind = |job: &&(Uuid, Uuid, i64)| {
            let mark = marked.iter().find(|mark| (mark.0, mark.1) == (job.0, job.1));
            mark.is_none_or(|mark| job.2 > mark.2)
        };
        let expected: HashSet<i64> = jobs.iter().filter(behind).map(|job| job.2).collect();
        let claimed: Vec<i64> = sqlx::query_scalar(
            "select job_id from q.claim($1, 0, '{1}', '{1000,1000,0}', 1000,
                 array_fill($5::uuid, '{3}'), '{}', array_fill(1::smallint, array[cardinality($4)]),
                 $2, $3, $4)
             where job_id is not null",
        )
        .bind(lease.0)
        .bind(marked.iter().map(|mark| mark.0).collect::<Vec<_>>())
        .bind(marked.iter().map(|mark| mark.1).collect::<Vec<_>>())
        .bind(marked.iter().map(|mark| mark.2).collect::<Vec<_>>())
        .bind(Uuid::nil())
        .fetch_all(&q.sql)
        .await
        .unwrap();
        assert_eq!(claimed.iter().copied().collect::<HashSet<_>>(), expected);
        assert_eq!(claimed.len(), expected.len());
    }
}
