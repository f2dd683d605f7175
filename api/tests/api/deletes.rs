//! Deleting a function: what waits is cancelled, what runs ends, and housekeeping does the rest.

use hyper::Method;
use serde_json::json;
use shared::store::retire;

use crate::harness::{App, FUNCTIONS, Owner, Reply, text, worker};

async fn delete(app: &App, token: &str, id: &str) -> Reply {
    app.call(Method::DELETE, &format!("{FUNCTIONS}/{id}"), Some(token), None).await
}

async fn call(app: &App, owner: &Owner, id: &str) -> String {
    let path = format!("{FUNCTIONS}/{id}/invoke-async");
    text(&app.post(&path, Some(&owner.token), json!({ "input": 1 })).await.data()["execution_id"])
}

#[tokio::test]
async fn a_deleted_function_is_not_there_and_its_name_is_free() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let deleted = delete(&app, &owner.token, &id).await.data();
    assert_eq!(deleted, json!({ "function_id": id, "deleted": true, "cancelled": 0 }));
    for path in ["", "/versions", "/executions", "/logs", "/versions/1/source"] {
        let reply = app.get(&format!("{FUNCTIONS}/{id}{path}"), &owner.token).await;
        reply.assert_error(404, "FUNC_NOT_FOUND");
    }
    for how in ["invoke", "invoke-async"] {
        let path = format!("{FUNCTIONS}/{id}/{how}");
        let reply = app.post(&path, Some(&owner.token), json!({ "input": 1 })).await;
        reply.assert_error(404, "FUNC_NOT_FOUND");
    }
    delete(&app, &owner.token, &id).await.assert_error(404, "FUNC_NOT_FOUND");
    assert_eq!(app.get(FUNCTIONS, &owner.token).await.data()["items"], json!([]));
    app.function(&owner, "hello").await;
}

#[tokio::test]
async fn what_waits_is_cancelled_and_what_runs_goes_on() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    let running = call(&app, &owner, &id).await;
    let job = worker::claim_next(&app).await;
    let waiting = call(&app, &owner, &id).await;
    let change = json!({ "code": "package main // two\n" });
    let path = format!("{FUNCTIONS}/{id}");
    app.call(Method::PUT, &path, Some(&owner.token), Some(&change)).await.data();

    let deleted = delete(&app, &owner.token, &id).await.data();
    assert_eq!(deleted["cancelled"], 2, "a call and a build");
    worker::run(&app, &job, &worker::completed("1")).await;
    let execution = async |id: &str| {
        app.get(&format!("{FUNCTIONS}/executions/{id}"), &owner.token).await.data()
    };
    assert_eq!(execution(&running).await["status"], "completed");
    let cancelled = execution(&waiting).await;
    assert_eq!([&cancelled["status"], &cancelled["reason"]], ["cancelled", "cancelled"]);
    assert_eq!(cancelled["error"], "the function was deleted");
}

#[tokio::test]
async fn housekeeping_gives_up_everything_of_a_deleted_function() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    call(&app, &owner, &id).await;
    let job = worker::claim_next(&app).await;
    delete(&app, &owner.token, &id).await.data();
    let pool = app.database.pool().await;
    sqlx::query("update function set deleted_at = now() - interval '2 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(retire::clean(&app.db, 10).await.unwrap(), retire::Retired::default());
    worker::run(&app, &job, &worker::completed("1")).await;
    let retired = retire::clean(&app.db, 10).await.unwrap();
    assert_eq!((retired.versions, retired.functions), (1, 1));
    let left: i64 = sqlx::query_scalar(
        "select count(*) from function_version v left join function_source s on s.version_id = v.id
         where v.artifact_key is not null or s.version_id is not null",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    assert_eq!(retire::clean(&app.db, 10).await.unwrap(), retire::Retired::default(), "once");
}

#[tokio::test]
async fn only_an_admin_deletes() {
    let app = App::start().await;
    let owner = app.owner().await;
    let id = app.active_function(&owner, "hello").await;
    for role in ["viewer", "member"] {
        let guest = app.guest(&owner, role).await;
        delete(&app, &guest.token, &id).await.assert_error(403, "FORBIDDEN");
    }
    let admin = app.guest(&owner, "admin").await;
    assert_eq!(delete(&app, &admin.token, &id).await.status, 200);
}

#[tokio::test]
async fn a_create_that_meets_the_end_of_its_project_leaves_nothing_in_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let pool = app.database.pool().await;
    let mut deletion = pool.begin().await.unwrap();
    let delete = "update project set deleted_at = now()";
    sqlx::query(delete).execute(&mut *deletion).await.unwrap();
    let create = app.post(FUNCTIONS, Some(&owner.token), owner.new_function("hello"));
    let end = async {
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&pool).await.unwrap() == 0 {}
        deletion.commit().await.unwrap();
    };
    let mut create = std::pin::pin!(create);
    let reply = tokio::select! {
        reply = &mut create => reply,
        () = end => create.await,
    };
    reply.assert_error(404, "NOT_FOUND");
}
