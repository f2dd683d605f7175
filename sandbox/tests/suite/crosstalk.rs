//! What one tenant leaves, another never finds.

use crate::common::{assert_nothing_left, assert_results, attack, run, start, start_primed, text};

#[tokio::test]
async fn a_thousand_alternating_calls_find_nothing_of_each_other() {
    let sandbox = start_primed(2, 2).await;
    for round in 0..500 {
        let leave = run(&sandbox, attack(&format!("leave-secret of-tenant-{}", round % 2))).await;
        assert_eq!(text(leave), "shm=refused\nsem=refused\nmsg=refused\n");
        let find = run(&sandbox, attack("find-secret")).await;
        assert_eq!(text(find), "", "in round {round}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn calls_at_the_same_time_find_nothing_of_each_other() {
    let sandbox = start().await;
    for _ in 0..50 {
        let (leave, find) = tokio::join!(
            run(&sandbox, attack("leave-secret now")),
            run(&sandbox, attack("find-secret"))
        );
        text(leave);
        assert_eq!(text(find), "");
    }
    assert_nothing_left(&sandbox).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn shared_inodes_cannot_be_locked() {
    let sandbox = start().await;

    assert_results(run(&sandbox, attack("hold-locks")).await, "EPERM", &[]);

    sandbox.stop().await;
}
