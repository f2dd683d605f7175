//! Projects: create, list, get.

use hyper::Method;
use serde_json::json;

use crate::harness::{App, text};

const PROJECTS: &str = "/api/v1/projects";

#[tokio::test]
async fn a_project_is_created_and_found_again() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let created = app.post(PROJECTS, Some(&person.token), json!({ "name": "shop" })).await;
    assert_eq!(created.status, 201);
    let created = created.data();
    assert_eq!(created["name"], "shop");

    let path = format!("{PROJECTS}/{}", text(&created["project_id"]));
    let found = app.get(&path, &person.token).await.data();
    let expected = json!({
        "project_id": created["project_id"],
        "name": "shop",
        "role": "owner",
        "created_at": created["created_at"],
    });
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_tenant_has_one_project_of_a_name() {
    let app = App::start().await;
    let (ann, bob) = (app.register("ann@a.b").await, app.register("bob@a.b").await);
    app.project(&ann.token, "shop").await;
    app.project(&bob.token, "shop").await;
    let again = app.post(PROJECTS, Some(&ann.token), json!({ "name": "Shop" })).await;
    again.assert_error(409, "CONFLICT");
}

#[tokio::test]
async fn the_list_goes_on_behind_its_cursor() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    for name in ["one", "two", "three"] {
        app.project(&person.token, name).await;
    }
    let first = app.get(&format!("{PROJECTS}?limit=2"), &person.token).await.data();
    assert_eq!(names(&first), ["three", "two"]);
    let cursor = text(&first["next_cursor"]);
    app.project(&person.token, "four").await;
    let path = format!("{PROJECTS}?limit=2&cursor={cursor}");
    let second = app.get(&path, &person.token).await.data();
    assert_eq!(names(&second), ["one"], "a page is not moved by what is added at the head");
    assert!(second["next_cursor"].is_null());
}

fn names(page: &serde_json::Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| text(&item["name"])).collect()
}

#[tokio::test]
async fn a_viewer_may_read_and_not_create() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let id = app.project(&person.token, "shop").await;
    let pool = app.database.pool().await;
    sqlx::query("update tenant_member set role = 'viewer'").execute(&pool).await.unwrap();
    sqlx::query("delete from project_member").execute(&pool).await.unwrap();

    let found = app.get(&format!("{PROJECTS}/{id}"), &person.token).await.data();
    assert_eq!(found["role"], "viewer");
    let refused = app.post(PROJECTS, Some(&person.token), json!({ "name": "more" })).await;
    let error = refused.assert_error(403, "FORBIDDEN");
    assert_eq!(
        (&error["details"]["needs"], &error["details"]["has"]),
        (&json!("member"), &json!("viewer"))
    );
}

#[tokio::test]
async fn a_project_is_renamed_unless_the_name_is_taken() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let (one, _) =
        (app.project(&person.token, "one").await, app.project(&person.token, "two").await);
    let rename = |name: &str| {
        let (path, body) = (format!("{PROJECTS}/{one}"), json!({ "name": name }));
        let (app, token) = (&app, person.token.clone());
        async move { app.call(Method::PUT, &path, Some(&token), Some(&body)).await }
    };
    rename("TWO").await.assert_error(409, "CONFLICT");
    assert_eq!(rename("One").await.data()["name"], "One", "only its case");
    assert_eq!(rename("three").await.data()["name"], "three");
    let found = app.get(&format!("{PROJECTS}/{one}"), &person.token).await.data();
    assert_eq!(found["name"], "three");
}

#[tokio::test]
async fn a_deleted_project_is_gone_with_all_that_was_in_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let function = app.function(&owner, "hello").await;
    let path = format!("{PROJECTS}/{}", owner.project_id);
    let body = json!({ "name": "CI", "role": "member" });
    let token = app.post(&format!("{path}/tokens"), Some(&owner.token), body).await.data();
    let invitation = app.invite(&owner, "bob@example.com", "member").await;

    let deleted = app.call(Method::DELETE, &path, Some(&owner.token), None).await;
    assert_eq!(deleted.data()["deleted"], true);
    app.get(&path, &owner.token).await.assert_error(404, "NOT_FOUND");
    let gone = app.get(&format!("/api/v1/functions/{function}"), &owner.token).await;
    gone.assert_error(404, "FUNC_NOT_FOUND");
    app.get(PROJECTS, &text(&token["token"])).await.assert_error(401, "UNAUTHENTICATED");
    let account = json!({
        "email": "bob@example.com", "password": "correct horse", "invitation": invitation,
    });
    app.post("/api/v1/auth/register", None, account).await.assert_error(404, "NOT_FOUND");
    app.project(&owner.token, "shop").await;
}

#[tokio::test]
async fn trouble_that_passes_is_answered_as_to_be_tried_again() {
    let app = App::start().await;
    let person = app.register("ann@example.com").await;
    let pool = app.database.pool().await;
    // A deadlock, a statement that took too long, a lost connection, a process that was stopped.
    for (state, status, code) in [
        ("40P01", 503, "OVERLOADED"),
        ("57014", 503, "OVERLOADED"),
        ("08006", 503, "OVERLOADED"),
        ("25P03", 503, "OVERLOADED"),
        ("XX000", 500, "INTERNAL"),
    ] {
        let trouble = format!(
            "create or replace function trouble() returns trigger language plpgsql as $$
             begin raise exception using errcode = '{state}'; end $$;
             create or replace trigger trouble before insert on project
             for each row execute function trouble()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(trouble)).execute(&pool).await.unwrap();
        let reply = app.post(PROJECTS, Some(&person.token), json!({ "name": "shop" })).await;
        reply.assert_error(status, code);
    }
}
