//! The plainest run there is.

use sandbox::Ended;

use crate::common::{attack, run, start};

#[tokio::test]
async fn a_program_reads_its_input_and_leaves_its_output() {
    let sandbox = start().await;
    let mut program = attack("echo");
    program.stdin = b"{\"a\":1}".to_vec();
    program.env = vec![("NAME".into(), "value".into())];

    let outcome = run(&sandbox, program).await;

    assert_eq!(outcome.ended, Ended::Exited(0));
    assert_eq!(outcome.stdout, b"{\"a\":1}");
    let log = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(log, "args [\"echo\"] env [(\"NAME\", \"value\")]\n");
    sandbox.stop().await;
}
