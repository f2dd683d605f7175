//! Variables and secrets reach the function, and no other place.

use std::time::Duration;

use crate::fixture::Fixture;

/// Answers with its whole environment.
const MIRROR: &str = r#"package main

import "os"

func Handler(input map[string]interface{}) ([]string, error) {
	return os.Environ(), nil
}
"#;

#[tokio::test]
async fn a_function_sees_its_variables_and_secrets() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let env = [("PLAIN".parse().unwrap(), "shown".to_owned())].into();
    let function = f.create_with(MIRROR, 30, env, &[("PASSWORD", "hunter2")]).await;
    let build = f.build_of(function).await;
    assert_eq!(f.final_status("build", build.0).await, "succeeded");
    let id = f.call(function, "{}").await;
    assert_eq!(f.final_status("execution", id.0).await, "completed");
    let output = f.text("select output from execution where id = $1", id.0).await.unwrap();
    let seen: Vec<String> = serde_json::from_str(&output).unwrap();
    for expected in ["PLAIN=shown", "PASSWORD=hunter2"] {
        assert!(seen.iter().any(|variable| variable == expected), "{seen:?}");
    }
    let ours = |name: &str| seen.iter().any(|it| it.starts_with(name));
    assert!(ours("APPRUN_EXECUTION_ID=") && ours("APPRUN_DEADLINE="), "{seen:?}");
    assert!(ours("GOMAXPROCS=1"), "as many threads as a call may keep cores busy: {seen:?}");
    let log = "select log || diagnostics::text from build where id = $1";
    assert!(!f.text(log, build.0).await.unwrap().contains("hunter2"));
    worker.stop().await;
}
