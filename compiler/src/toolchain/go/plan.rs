//! Decides how a Go source is built: which package, which generated files, which command line.

use sandbox::InputFile;
use shared::domain::{Diagnostic, SourceBundle};

use super::{constraint, discover::GoVersion, layout, sum};
use crate::{
    dependencies::{Dependency, Fetches, GoModule, PROXY_DIR},
    plan::{BuildPlan, Refusal, env, file, refuse_folder},
    toolchain::{
        Language,
        scan::{self, Function, Syntax},
    },
};

/// The module and directory of a source without its own `go.mod`.
pub(super) const DEFAULT_MODULE: &str = "function";
/// The package that speaks the protocol; a folder beside the author's files.
pub(super) const SERVE_PACKAGE: &str = "apprun_handler";
/// The package that keeps stdout for the result.
const STDOUT_PACKAGE: &str = "apprun_stdout";
/// Where the package at the root imports it, when it is not `main`: its own start might print too.
const STDOUT_FILE: &str = "apprun_stdout.go";
/// `main`, when the handler is in a package of another name; `main` cannot be imported.
const MAIN_PACKAGE: &str = "apprun_main";
/// `main`, when the handler is in package main itself.
const MAIN_FILE: &str = "apprun_main.go";
/// Everything generated starts so; authors cannot use it.
const RESERVED: &str = "apprun_";

pub(super) const SERVE: &str = include_str!("template/serve.go");
/// Stands in `SERVE` for the name of the author's module.
const MODULE: &str = "MODULE";
pub(super) const STDOUT: &str = include_str!("template/stdout.go");
pub(super) const DECODE: &str = include_str!("template/decode.go");
pub(super) const EXPLAIN: &str = include_str!("template/explain.go");

/// What the files of the root package say.
struct RootPackage {
    name: String,
    handler: Option<(String, Function)>,
    has_main: bool,
}

pub(crate) fn plan(
    source: &SourceBundle,
    minor: u16,
    version: GoVersion,
    fetches: Fetches,
) -> Result<BuildPlan, Refusal> {
    refuse_reserved_names(source)?;
    refuse_folder(source, "go.mod")?;
    let package = root_package(source, version.minor)?;
    let mut files: Vec<_> =
        source.files().map(|(path, content)| file(format!("source/{path}"), content)).collect();
    let module = match source.get("go.mod") {
        Some(go_mod) => module_name(go_mod)?,
        None => {
            files.push(go_mod(minor));
            DEFAULT_MODULE.to_owned()
        }
    };
    let brings_main = package.name == "main" && package.has_main;
    if !brings_main {
        refuse_context_without_input(&package)?;
    }
    let target = if brings_main { "." } else { add_main(&mut files, &module, &package) };
    let needs = if fetches.go_modules { sum::needs(source)? } else { Vec::new() };
    let mut env = environment();
    if !needs.is_empty() {
        files.extend(needs.iter().filter_map(version_file));
        env.retain(|(name, _)| name != "GOPROXY");
        env.push(("GOPROXY".to_owned(), format!("file:///work/{PROXY_DIR}")));
    }
    Ok(BuildPlan {
        language: Language::Go,
        toolchain: format!("{version} linux/amd64"),
        program: layout::GO.into(),
        args: build_args(Some("/work/out/function"), &[target]),
        env,
        files,
        artifact_path: "out/function".into(),
        prepared: &[],
        needs,
        joins_offered: false,
        handler: package.handler,
    })
}

/// The command line of every build; without `output` the packages are only compiled. As there are no
/// paths, version control stamps or build ids in the result, the same source gives the same bytes.
pub(super) fn build_args(output: Option<&str>, targets: &[&str]) -> Vec<String> {
    let flags = ["build", "-C", "/work/source", "-trimpath", "-buildvcs=false"];
    let link = ["-ldflags=-s -w -buildid="];
    let output = output.map(|path| ["-o", path]);
    let args = flags.iter().chain(&link).chain(output.iter().flatten()).chain(targets);
    args.map(|arg| (*arg).to_owned()).collect()
}

/// The whole environment of the go command: nothing else is visible to a build. It cannot download,
/// switch toolchains, run version control or call a C compiler.
pub(super) fn environment() -> Vec<(String, String)> {
    env(&[
        ("HOME", sandbox::HOME_DIR),
        ("TMPDIR", sandbox::TMP_DIR),
        ("PATH", "/toolchains/go/bin"),
        // As many as the limits allow cores: on a large machine it would start hundreds of threads.
        ("GOMAXPROCS", "2"),
        ("GOROOT", layout::ROOT),
        ("GOCACHE", layout::CACHE),
        ("GOPATH", "/home/go"),
        ("GOOS", "linux"),
        ("GOARCH", "amd64"),
        ("GOAMD64", "v1"),
        ("CGO_ENABLED", "0"),
        ("GOTOOLCHAIN", "local"),
        ("GOENV", "off"),
        ("GOFLAGS", ""),
        ("GOWORK", "off"),
        ("GOPROXY", "off"),
        ("GOSUMDB", "off"),
        ("GOVCS", "*:off"),
        ("GOTELEMETRY", "off"),
    ])
}

pub(super) fn go_mod(minor: u16) -> InputFile {
    file("source/go.mod", format!("module {DEFAULT_MODULE}\n\ngo 1.{minor}\n"))
}

/// The generated packages, as parts of a module.
pub(super) fn serve_packages(module: &str) -> [InputFile; 4] {
    let path = |name: &str| format!("source/{SERVE_PACKAGE}/{name}");
    [
        file(path("serve.go"), SERVE.replace(MODULE, module)),
        file(path("decode.go"), DECODE),
        file(path("explain.go"), EXPLAIN),
        file(format!("source/{STDOUT_PACKAGE}/stdout.go"), STDOUT),
    ]
}

/// What a proxy tells of a version that it has; go asks before it takes the code.
fn version_file(need: &Dependency) -> Option<InputFile> {
    let Dependency::GoModule(module @ GoModule { with_code: true, version, .. }) = need else {
        return None;
    };
    let path = module.proxy_path();
    let stem = path.strip_suffix(".zip")?;
    Some(file(format!("{PROXY_DIR}/{stem}.info"), format!("{{\"Version\":{version:?}}}")))
}

/// Generates `main` and returns the package to build.
fn add_main(files: &mut Vec<InputFile>, module: &str, package: &RootPackage) -> &'static str {
    let takes_context =
        package.handler.as_ref().is_some_and(|(_, function)| function.parameters.len() == 2);
    let serve = if takes_context { "ServeContext" } else { "Serve" };
    files.extend(serve_packages(module));
    // The build line lifts this file alone to the language version that generics need.
    let header =
        format!("//go:build go1.21\n\npackage main\n\nimport (\n\t\"{module}/{SERVE_PACKAGE}\"\n");
    if package.name == "main" {
        let main = format!("{header})\n\nfunc main() {{ {SERVE_PACKAGE}.{serve}(Handler) }}\n");
        files.push(file(format!("source/{MAIN_FILE}"), main));
        return ".";
    }
    let name = &package.name;
    let early = format!("package {name}\n\nimport _ \"{module}/{STDOUT_PACKAGE}\"\n");
    files.push(file(format!("source/{STDOUT_FILE}"), early));
    let import = format!("\tfunction \"{module}\"\n");
    let main = format!(
        "{header}{import})\n\nfunc main() {{ {SERVE_PACKAGE}.{serve}(function.Handler) }}\n"
    );
    files.push(file(format!("source/{MAIN_PACKAGE}/main.go"), main));
    "./apprun_main"
}

fn refuse_reserved_names(source: &SourceBundle) -> Result<(), Refusal> {
    match source.files().find(|(path, _)| path.starts_with(RESERVED)) {
        Some((path, _)) => Err(vec![
            Diagnostic::error(format!(
                "names that start with '{RESERVED}' are generated: rename it"
            ))
            .at(path, 1, 1),
        ]),
        None => Ok(()),
    }
}

/// It would compile: a context is a type like any other, only not one that JSON can be read into.
fn refuse_context_without_input(package: &RootPackage) -> Result<(), Refusal> {
    match &package.handler {
        Some((path, Function { parameters, line, column, .. })) if matches!(parameters.as_slice(), [only] if only.ends_with("context.Context")) =>
        {
            let message = "Handler takes a context and no input, but must be \
                           func Handler(context.Context, In) (Out, error)";
            Err(vec![Diagnostic::error(message).at(path, *line, *column)])
        }
        _ => Ok(()),
    }
}

/// Reads the files that go would take for the package at the root.
fn root_package(source: &SourceBundle, newest_minor: u16) -> Result<RootPackage, Refusal> {
    let is_code = |path: &str| {
        !path.contains('/')
            && path.ends_with(".go")
            && !path.ends_with("_test.go")
            && !path.starts_with(['_', '.'])
    };
    let code = source.files().filter(|(path, _)| is_code(path));
    let (mut files, left_out): (Vec<_>, Vec<_>) =
        code.partition(|(path, content)| constraint::takes_part(path, content, newest_minor));
    if files.is_empty() {
        // Go says why none of them takes part.
        files.clone_from(&left_out);
    }
    let Some((_, first)) = files.first() else {
        return Err(vec![Diagnostic::error(
            "no Go file at the root of the source: the handler belongs there",
        )]);
    };
    let named = |name: &'static str| move |found: &(&str, Function)| found.1.name == name;
    // One in a file that takes no part is kept, for the message about it.
    let handler = functions_in(&files).chain(functions_in(&left_out)).find(named("Handler"));
    Ok(RootPackage {
        name: scan::go_package(first).unwrap_or_else(|| "main".to_owned()),
        has_main: functions_in(&files).any(|found| named("main")(&found)),
        handler: handler.map(|(path, function)| (path.to_owned(), function)),
    })
}

fn functions_in<'a>(files: &[(&'a str, &[u8])]) -> impl Iterator<Item = (&'a str, Function)> {
    files.iter().flat_map(|(path, content)| {
        scan::functions(content, Syntax::Go).into_iter().map(move |found| (*path, found))
    })
}

/// The path in the module line, which go insists on.
fn module_name(go_mod: &[u8]) -> Result<String, Refusal> {
    let text = String::from_utf8_lossy(go_mod);
    let words = |line: &str| -> Vec<String> {
        let code = line.split("//").next().unwrap_or_default();
        code.split_whitespace().map(|word| word.trim_matches(['"', '`']).to_owned()).collect()
    };
    let module = text.lines().map(words).find_map(|words| match words.as_slice() {
        [keyword, name] if keyword == "module" => Some(name.clone()),
        _ => None,
    });
    module.ok_or_else(|| {
        vec![Diagnostic::error("no line 'module name' in go.mod").at("go.mod", 1, 1)]
    })
}

#[cfg(test)]
mod tests {
    use shared::domain::SourceLimits;

    use super::*;

    const GO: GoVersion = GoVersion { minor: 27, patch: 3 };

    fn bundle(files: &[(&str, &str)]) -> SourceBundle {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        SourceBundle::from_files(files, SourceLimits { files: 9, total_bytes: 9999 }).unwrap()
    }

    fn planned(files: &[(&str, &str)]) -> BuildPlan {
        plan(&bundle(files), 21, GO, Fetches::default()).unwrap()
    }

    fn generated(plan: &BuildPlan, path: &str) -> String {
        let file = plan.files.iter().find(|file| file.path == path);
        String::from_utf8(file.unwrap_or_else(|| panic!("{path}")).content.clone()).unwrap()
    }

    #[test]
    fn a_handler_in_package_main_gets_a_main_beside_it() {
        let plan = planned(&[("handler.go", "package main\nfunc Handler(in int) (int, error) {}")]);
        let main = generated(&plan, "source/apprun_main.go");
        assert!(main.contains("\t\"function/apprun_handler\""), "{main}");
        assert!(main.contains("apprun_handler.Serve(Handler)"), "{main}");
        assert_eq!(generated(&plan, "source/go.mod"), "module function\n\ngo 1.21\n");
        assert_eq!(plan.args.last().unwrap(), ".");
    }

    #[test]
    fn a_handler_in_another_package_is_imported() {
        let go_mod = "// x\nmodule \"example.com/greet\" // y\ngo 1.20\n";
        let code = "package greet\nfunc Handler(ctx context.Context, in int) (int, error) {}";
        let plan = planned(&[("go.mod", go_mod), ("greet.go", code)]);
        let main = generated(&plan, "source/apprun_main/main.go");
        assert!(main.contains("function \"example.com/greet\""), "{main}");
        assert!(main.contains("apprun_handler.ServeContext(function.Handler)"), "{main}");
        assert_eq!(plan.args.last().unwrap(), "./apprun_main");
    }

    #[test]
    fn an_own_main_is_taken_as_it_is() {
        let code = "package main\nfunc main() {}\nfunc Handler(in int) (int, error) {}";
        let plan = planned(&[("main.go", code)]);
        assert_eq!(plan.files.len(), 2, "the source and go.mod: {:?}", plan.files);
    }

    #[test]
    fn files_that_take_no_part_decide_nothing() {
        let handler = "package main\nfunc Handler(in int) (int, error) {}";
        let tool = "//go:build ignore\n\npackage tool\nfunc main() {}";
        for beside in [("gen.go", tool), ("a_windows.go", "package main\nfunc main() {}")] {
            let plan = planned(&[beside, ("handler.go", handler)]);
            assert!(generated(&plan, "source/apprun_main.go").contains("Serve(Handler)"));
        }
    }

    #[test]
    fn a_source_without_a_usable_root_is_refused() {
        let refused =
            |files: &[(&str, &str)]| plan(&bundle(files), 21, GO, Fetches::default()).unwrap_err();
        assert!(refused(&[("sub/a.go", "package a")])[0].message.contains("no Go file"));
        assert!(refused(&[("a_test.go", "package a")])[0].message.contains("no Go file"));
        for path in ["apprun_main.go", "apprun_stdout/a.txt", "go.mod/a.txt"] {
            assert!(refused(&[(path, ""), ("a.go", "package a")])[0].message.contains("rename"));
        }
        let broken = refused(&[("a.go", "package a"), ("go.mod", "go 1.21")]);
        assert_eq!(broken[0].file.as_deref(), Some("go.mod"));
    }

    #[test]
    fn the_key_covers_source_version_and_toolchain() {
        let code = "package main\nfunc main() {}";
        let key = |files: &[(&str, &str)], minor, version| {
            plan(&bundle(files), minor, version, Fetches::default()).unwrap().key()
        };
        let base = key(&[("a.go", code)], 21, GO);
        assert_eq!(base, key(&[("a.go", code)], 21, GO));
        assert_ne!(base, key(&[("b.go", code)], 21, GO));
        assert_ne!(base, key(&[("a.go", code)], 22, GO));
        assert_ne!(base, key(&[("a.go", code)], 21, GoVersion { patch: 4, ..GO }));
    }
}
