//! Trusted tools: a clean environment, a deadline, bounded output, no survivors.

use std::time::Duration;

use sandbox::{Tool, ToolError, run_tool};

fn shell(script: &str) -> Tool {
    Tool {
        executable: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: "/".into(),
        deadline: Duration::from_secs(20),
        output_bytes: 100,
    }
}

#[tokio::test]
async fn a_tool_gets_its_own_environment_and_its_output_is_kept_apart() {
    let output = run_tool(shell("echo $HOME$PATH; pwd >&2; exit 3")).await.unwrap();

    assert_eq!(output.status, Some(3));
    assert_eq!(output.stdout, b"/usr/bin:/bin\n");
    assert_eq!(output.stderr, b"/\n");
}

#[tokio::test]
async fn output_beyond_the_limit_is_dropped() {
    let output = run_tool(shell("head -c 1000000 /dev/zero")).await.unwrap();

    assert_eq!((output.status, output.stdout.len()), (Some(0), 100));
}

#[tokio::test]
async fn a_slow_tool_is_killed_with_everything_it_started() {
    let mut tool = shell("sleep 61.7 & sleep 61.7");
    tool.deadline = Duration::from_millis(100);

    let error = run_tool(tool).await.unwrap_err();

    assert!(matches!(error, ToolError::TooSlow { .. }), "{error}");
    let sleeping = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        commands.filter(|command| command.ends_with(b"sleep\x0061.7\0")).count()
    };
    while sleeping() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_named() {
    let error = run_tool(Tool { executable: "/nowhere".into(), ..shell("") }).await.unwrap_err();

    assert!(error.to_string().contains("/nowhere"), "{error}");
}
