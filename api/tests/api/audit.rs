//! The audit record: complete, for admins only, never changed.

use hyper::Request;
use serde_json::Value;

use crate::harness::{App, send, text};

const AUDIT: &str = "/api/v1/audit";

fn actions(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|row| text(&row["action"])).collect()
}

#[tokio::test]
async fn a_deed_is_recorded_with_who_what_and_from_where() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let request = Request::post("/api/v1/projects")
        .header("authorization", format!("Bearer {}", ann.token))
        .header("content-type", "application/json")
        .header("user-agent", format!("test/1 {}", "x".repeat(1000)));
    let created = send(app.address, request.body(r#"{"name":"shop"}"#).unwrap()).await;
    let page = app.get(AUDIT, &ann.token).await.data();
    let deed = &page["items"][0];
    let project = text(&created.data()["project_id"]);
    assert_eq!(deed["action"], "project.create");
    assert_eq!(deed["resource_type"], "project");
    assert_eq!(format!("proj-{}", text(&deed["resource_id"])), project);
    assert_eq!(deed["request_id"], created.json()["request_id"]);
    assert_eq!(deed["address"], "127.0.0.1");
    let user_agent = text(&deed["user_agent"]);
    assert!(user_agent.starts_with("test/1 x") && user_agent.len() == 256, "{user_agent}");
    let me = app.get("/api/v1/auth/me", &ann.token).await.data();
    assert_eq!(deed["user_id"], me["user_id"]);
}

#[tokio::test]
async fn filters_and_the_cursor_narrow_it_down() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let first = app.project(&ann.token, "one").await;
    app.project(&ann.token, "two").await;
    let read = |query: String| {
        let (app, token) = (&app, ann.token.clone());
        async move { app.get(&format!("{AUDIT}?{query}"), &token).await.data() }
    };
    let of_projects = read("action=project".to_owned()).await;
    assert_eq!(actions(&of_projects), ["project.create", "project.create"]);
    assert_eq!(actions(&read("action=project.create&limit=1".to_owned()).await).len(), 1);
    assert_eq!(actions(&read("action=proj".to_owned()).await), Vec::<String>::new());
    assert_eq!(actions(&read(format!("resource_id={first}")).await), ["project.create"]);
    let request = text(&of_projects["items"][0]["request_id"]);
    assert_eq!(actions(&read(format!("request_id={request}")).await), ["project.create"]);
    assert_eq!(actions(&read("to=2020-01-01T00:00:00Z".to_owned()).await).len(), 0);
    assert_eq!(actions(&read("from=2020-01-01T00:00:00Z".to_owned()).await).len(), 4);

    let page = read("limit=3".to_owned()).await;
    let rest = read(format!("limit=3&cursor={}", text(&page["next_cursor"]))).await;
    assert_eq!(actions(&page), ["project.create", "project.create", "session.open"]);
    assert_eq!(actions(&rest), ["account.register"]);
    for wrong in ["resource_id=x", "action=A", "cursor=x", "user_id=x"] {
        let refused = app.get(&format!("{AUDIT}?{wrong}"), &ann.token).await;
        refused.assert_error(400, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn only_admins_of_the_tenant_read_it() {
    let app = App::start().await;
    let owner = app.owner().await;
    let guest = app.guest(&owner, "owner").await;
    app.get(AUDIT, &guest.token).await.assert_error(403, "FORBIDDEN");
    let pool = app.database.pool().await;
    for (role, status) in [("viewer", 403), ("member", 403), ("admin", 200), ("owner", 200)] {
        sqlx::query("update tenant_member set role = $1").bind(role).execute(&pool).await.unwrap();
        assert_eq!(app.get(AUDIT, &owner.token).await.status.as_u16(), status, "{role}");
    }
    let stranger = app.register("stranger@example.com").await;
    let theirs = app.get(AUDIT, &stranger.token).await.data();
    assert_eq!(actions(&theirs), ["session.open", "account.register"]);
}

#[tokio::test]
async fn nobody_changes_what_is_recorded() {
    let app = App::start().await;
    app.register("ann@example.com").await;
    let pool = app.database.pool().await;
    for statement in ["update audit set action = 'nothing'", "delete from audit", "truncate audit"]
    {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    let left: i64 =
        sqlx::query_scalar("select count(*) from audit").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 2);
}
