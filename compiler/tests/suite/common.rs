//! A compiler with warm caches, a sandbox to build in and one to call what was built.

use std::{
    fs::{File, Permissions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use compiler::{
    BuildLimits, BuildOutcome, BuildPlan, Compiler, Fetched, Fetches, FunctionResult, Places,
    Toolchains, interpret,
};
use sandbox::{Conditions, Executable, Image, Limits, Options, Outcome, Program, Sandbox};
use shared::domain::{Runtime, SourceBundle, SourceLimits};
use tokio_util::sync::CancellationToken;

pub(crate) struct Workshop {
    pub(crate) compiler: Compiler,
    pub(crate) builds: Sandbox,
    calls: Sandbox,
}

impl Workshop {
    /// The caches are the user's own, as in `apprun dev`: made once, whoever needs them first.
    pub(crate) async fn open() -> Self {
        Self::fetching(Fetches::default()).await
    }

    /// One whose builds are given dependencies.
    pub(crate) async fn fetching(fetches: Fetches) -> Self {
        let toolchains = Toolchains::discover(&Places::from_environment()).await;
        let home = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
        let cache = home.unwrap().join("apprun");
        let compiler = Compiler::prepare(toolchains, &cache, fetches, &Conditions::default()).await;
        assert!(!compiler.toolchains().has_trouble(), "{:?}", compiler.toolchains().unusable());
        let start = async |image| {
            Sandbox::start(Options { slots: 2, primed: 0, ..Options::new(image) }).await.unwrap()
        };
        let builds = start(compiler.image()).await;
        Self { compiler, builds, calls: start(Image::empty()).await }
    }

    /// Plans and builds.
    pub(crate) async fn build(
        &self,
        runtime: &str,
        source: &SourceBundle,
        limits: BuildLimits,
    ) -> BuildOutcome {
        let runtime: Runtime = runtime.parse().unwrap();
        match self.compiler.plan(runtime, source) {
            Ok(plan) => self.build_plan(&plan, Fetched::default(), limits).await,
            Err(failure) => BuildOutcome::Failed(failure),
        }
    }

    pub(crate) async fn build_plan(
        &self,
        plan: &BuildPlan,
        fetched: Fetched,
        limits: BuildLimits,
    ) -> BuildOutcome {
        let cancel = CancellationToken::new();
        self.compiler.build(&self.builds, plan, fetched, limits, &cancel).await.unwrap()
    }

    /// Calls a built function in the sandbox for functions.
    pub(crate) async fn call(&self, binary: &[u8], input: &str, env: &[(&str, &str)]) -> Outcome {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(binary).unwrap();
        let path = file.into_temp_path();
        std::fs::set_permissions(&path, Permissions::from_mode(0o555)).unwrap();
        let program = Program {
            executable: Executable::File(Arc::new(File::open(&path).unwrap().into())),
            args: Vec::new(),
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            stdin: input.into(),
            files: Vec::new(),
            collect: None,
            limits: call_limits(),
        };
        self.calls.run(program, &CancellationToken::new()).await.unwrap()
    }

    pub(crate) async fn result(&self, binary: &[u8], input: &str) -> FunctionResult {
        interpret(&self.call(binary, input, &[]).await)
    }

    pub(crate) async fn close(self) {
        self.builds.stop().await;
        self.calls.stop().await;
    }
}

/// A source from literals.
pub(crate) fn bundle(files: &[(&str, &str)]) -> SourceBundle {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    SourceBundle::from_files(files, SourceLimits { files: 100, total_bytes: 1 << 20 }).unwrap()
}

/// All files below a folder, but `expect`, which says what a test wants.
pub(crate) fn folder_source(folder: &Path) -> SourceBundle {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    files.retain(|(path, _)| path != "expect");
    SourceBundle::from_files(files, SourceLimits { files: 100, total_bytes: 1 << 20 }).unwrap()
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

/// The binary, or a panic that shows the whole failure.
pub(crate) fn binary(outcome: BuildOutcome) -> Vec<u8> {
    match outcome {
        BuildOutcome::Built(built) => built.artifact.bytes,
        BuildOutcome::Failed(failure) => panic!("{failure:#?}"),
    }
}

fn call_limits() -> Limits {
    Limits {
        wall_time: Duration::from_secs(30),
        cpu_time: Duration::from_secs(30),
        cpu_millicores: 1000,
        memory_bytes: 128 << 20,
        pids: 64,
        stdout_bytes: 1 << 20,
        stderr_bytes: 256 << 10,
        open_files: 256,
        file_bytes: 64 << 20,
        disk_bytes: 64 << 20,
        disk_inodes: 1024,
    }
}
