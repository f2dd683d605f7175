//! `apprun plan`, as an operator types it.

use serde_json::Value;
use system_tests::{Client, Running, apprun};
use test_support::TestDatabase;

#[tokio::test]
async fn an_operator_gives_a_tenant_another_plan_and_the_tenant_can_see_it() {
    let database = TestDatabase::create().await;
    let dir = tempfile::tempdir().unwrap();
    let (_api, url) = Running::api(dir.path(), database.url());
    let owner = Client::signed_up(&url, "a@example.com");
    let tenant = owner.get("/api/v1/auth/me").body["data"]["tenant_id"].clone();
    let tenant = tenant.as_str().unwrap();
    let variables = [("APPRUN_DATABASE_URL", database.url())];
    let plan =
        |arguments: &[&str]| apprun(dir.path(), &[&["plan"], arguments].concat(), &variables);

    let done = plan(&[tenant, "paid"]);
    let told = format!("{tenant} is on the plan paid now, and was on free\n");
    assert_eq!((done.code, &done.stdout), (Some(0), &told), "{done:?}");
    assert_eq!(owner.get("/api/v1/usage").body["data"]["plan"], "paid");
    let record = owner.get("/api/v1/audit?action=tenant.plan").body["data"]["items"].clone();
    assert_eq!(
        (&record[0]["resource_type"], &record[0]["user_id"]),
        (&"tenant".into(), &Value::Null)
    );

    let nobody = plan(&["ten-0199a0b0-0000-7000-8000-000000000000", "paid"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.stderr.contains("there is no tenant ten-0199a0b0"), "{nobody:?}");
    assert_eq!(plan(&[tenant, "gold"]).code, Some(2));
}
