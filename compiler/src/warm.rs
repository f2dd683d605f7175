//! Runs our own builds with a writable cache, once per toolchain, in the same image and at the same
//! paths as the builds of strangers later, so that what was compiled is found again.

use std::{fs, io, os::unix::fs::chown, path::Path, time::Duration};

use sandbox::{
    Access, Bind, Conditions, Ended, Executable, Image, InputFile, Limits, Options, Profile,
    Program, Sandbox,
};
use tokio_util::sync::CancellationToken;

use crate::{PrepareError, build::BuildLimits, log};

/// One sandbox whose runs write to directories of ours.
pub(crate) struct WarmUp {
    sandbox: Sandbox,
}

impl WarmUp {
    /// `writable` are (directory on this machine, where runs see it).
    pub(crate) async fn start(
        name: &str,
        mut binds: Vec<Bind>,
        links: Vec<(std::path::PathBuf, std::path::PathBuf)>,
        writable: &[(&Path, &str)],
        conditions: &Conditions,
    ) -> Result<Self, PrepareError> {
        for (source, target) in writable {
            fs::create_dir_all(source).map_err(|error| PrepareError::Cache {
                path: source.to_path_buf(),
                source: error,
            })?;
            binds.push(Bind {
                source: source.to_path_buf(),
                target: target.into(),
                access: Access::Writable,
            });
        }
        let image =
            Image { name: name.into(), binds, links, profile: Profile::Build, ..Image::empty() };
        let options =
            Options { slots: 1, primed: 0, conditions: conditions.clone(), ..Options::new(image) };
        let sandbox = Sandbox::start(options).await?;
        let user = sandbox.slot_uid(0);
        for (path, _) in writable {
            chown(path, Some(user), Some(user))
                .map_err(|source| PrepareError::Cache { path: path.to_path_buf(), source })?;
        }
        Ok(Self { sandbox })
    }

    /// Runs one command to success.
    pub(crate) async fn run(
        &self,
        program: &str,
        args: Vec<String>,
        env: Vec<(String, String)>,
        files: Vec<InputFile>,
    ) -> Result<(), PrepareError> {
        let command = format!("{program} {}", args.join(" "));
        let program = Program {
            executable: Executable::InImage(program.into()),
            args,
            env,
            stdin: Vec::new(),
            files,
            collect: None,
            limits: limits(),
        };
        let outcome = self.sandbox.run(program, &CancellationToken::new()).await?;
        if outcome.ended == Ended::Exited(0) {
            return Ok(());
        }
        let log = log::clean(&String::from_utf8_lossy(&outcome.stderr));
        Err(PrepareError::WarmUp { command, ended: outcome.ended, log })
    }

    /// Ends the sandbox; afterwards nobody writes to the directories any more.
    pub(crate) async fn finish(self) {
        self.sandbox.stop().await;
    }
}

/// Our own code, so only a runaway has to be stopped.
fn limits() -> Limits {
    let patience = Duration::from_secs(900);
    let build =
        BuildLimits { wall_time: patience, cpu_time: patience * 8, ..BuildLimits::default() };
    build.for_sandbox()
}

/// Reads after "failed to": the directory that could not be changed.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> PrepareError {
    let path = path.to_owned();
    move |source| PrepareError::Cache { path, source }
}
