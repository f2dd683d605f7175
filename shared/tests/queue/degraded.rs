//! What workers do without is known for as long as they live.

use shared::{
    domain::WorkerIdentity,
    queue::{degraded_layers, open_lease, release_lease},
};

use crate::fixture::Fixture;

#[tokio::test]
async fn missing_layers_are_listed_while_a_worker_that_lacks_them_lives() {
    let f = Fixture::new().await;
    let worker = |degraded: &[&str]| WorkerIdentity {
        name: "test".to_owned(),
        degraded: degraded.iter().map(ToString::to_string).collect(),
    };
    let _whole = open_lease(&f.db, &worker(&[])).await.unwrap();
    let _one = open_lease(&f.db, &worker(&["cpu"])).await.unwrap();
    let two = open_lease(&f.db, &worker(&["pids", "cpu"])).await.unwrap();
    // Nobody beats for them, and a test may take its time.
    sqlx::query("update q.lease set expires_at = now() + interval '1 hour'")
        .execute(&f.sql)
        .await
        .unwrap();
    assert_eq!(degraded_layers(&f.db).await.unwrap(), ["cpu", "pids"]);

    release_lease(&f.db, two).await.unwrap();
    assert_eq!(degraded_layers(&f.db).await.unwrap(), ["cpu"]);
}
