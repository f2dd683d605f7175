//! When a step of our own fails, the program is never started and the step is named.

use sandbox::{Image, Options, RunError, Sandbox, Stage, StartError};
use tokio_util::sync::CancellationToken;

use crate::common::{attack, useless_spawner};

const STAGES: [Stage; 14] = [
    Stage::CreateGroup,
    Stage::Fork,
    Stage::Network,
    Stage::EnterGroup,
    Stage::Hostname,
    Stage::Mount,
    Stage::ForkMain,
    Stage::DropInit,
    Stage::Identity,
    Stage::Receive,
    Stage::LayOutFiles,
    Stage::Rlimits,
    Stage::Filter,
    Stage::Exec,
];

#[tokio::test]
async fn each_step_that_fails_is_named_and_nothing_is_started() {
    for stage in STAGES {
        let options = Options { primed: 0, fail_at: Some(stage), ..Options::new(Image::empty()) };
        let sandbox = Sandbox::start(options).await.unwrap();

        let error = sandbox.run(attack("echo"), &CancellationToken::new()).await.unwrap_err();

        match error {
            RunError::Setup { stage: named, source } => {
                assert_eq!((named, source.raw_os_error()), (stage, Some(libc::EIO)));
            }
            other => panic!("{stage:?} gave {other:?}"),
        }
        sandbox.settled().await;
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn a_process_that_does_not_serve_is_no_spawner() {
    let options = Options { conditions: useless_spawner(), ..Options::new(Image::empty()) };

    let error = Sandbox::start(options).await.err().unwrap();

    assert!(matches!(error, StartError::Spawner(_)), "{error:?}");
}

#[tokio::test]
async fn an_image_that_is_not_there_names_the_layer_and_the_path() {
    let image = Image {
        binds: vec![sandbox::Bind {
            source: "/nowhere".into(),
            target: "/x".into(),
            access: sandbox::Access::ReadOnly,
        }],
        ..Image::empty()
    };

    let error = Sandbox::start(Options::new(image)).await.err().unwrap();

    assert!(error.to_string().contains("/nowhere"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_passed_is_refused_before_a_slot_is_taken() {
    let options = Options { primed: 0, ..Options::new(Image::empty()) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let cancel = CancellationToken::new();

    let mut program = attack("echo");
    program.args.push("x".repeat(200_000));
    let error = sandbox.run(program, &cancel).await.unwrap_err();
    assert!(matches!(error, RunError::TooLarge { .. }), "{error}");

    let mut program = attack("echo");
    program.env.push(("A".into(), "\0".into()));
    let error = sandbox.run(program, &cancel).await.unwrap_err();
    assert!(matches!(error, RunError::Malformed(_)), "{error}");
    sandbox.stop().await;
}
