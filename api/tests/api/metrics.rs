//! GET /metrics

use hyper::{Method, StatusCode};

use crate::harness::App;

#[tokio::test]
async fn the_metrics_name_what_was_asked_for_and_never_how_it_was_spelled() {
    let app = App::start().await;
    let ann = app.register("ann@example.com").await;
    let path = "/api/v1/projects/proj-0199a0b0-0000-7000-8000-00000000abcd";
    assert_eq!(app.get(path, &ann.token).await.status, StatusCode::NOT_FOUND);
    assert_eq!(app.get("/no/such/path", &ann.token).await.status, StatusCode::NOT_FOUND);
    let answer = app.call(Method::GET, "/metrics", None, None).await.body;
    for line in [
        r#"apprun_http_requests_total{method="GET",status="404"} 2"#,
        r#"apprun_http_request_duration_seconds_count{handler="/api/v1/projects/{project_id}"} 1"#,
        r#"apprun_http_request_duration_seconds_count{handler="none"} 1"#,
        r#"apprun_queue_jobs{class="async",state="ready"} 0"#,
        r#"apprun_build_info{version="0.0.0"} 1"#,
    ] {
        assert!(answer.lines().any(|it| it == line), "{line}\n{answer}");
    }
    assert!(!answer.contains("abcd") && !answer.contains("/no/such"), "{answer}");
}
