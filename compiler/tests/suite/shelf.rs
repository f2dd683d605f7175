//! One tiny project per fact. The folder's name under `tests/projects` is the test's name; its
//! `expect` file says what must become of it, the rest is the source.
//!
//! Lines of `expect`: `runtime go1.21` · `wall-seconds`, `memory-mib`, `log-kib` (other limits than the
//! usual) · `fails <reason>` · `diagnostic <start of one>` · `message <part>` · `log-has`, `log-lacks
//! <text>` · `call <input>`, followed by `output <json>` or `<reason> <part of the message>`, and
//! `stderr <text>` · `env NAME=value`, before its call.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use compiler::{BuildLimits, BuildOutcome, FunctionResult, interpret};
use sandbox::Outcome;

use crate::common::{Workshop, binary, folder_source};

macro_rules! shelf {
    ($($name:ident)*) => {
        $(#[tokio::test] async fn $name() { check(stringify!($name)).await; })*

        #[test]
        fn every_project_is_a_test() {
            let tests = BTreeSet::from([$(stringify!($name).to_owned()),*]);
            let projects = fs::read_dir(projects()).unwrap();
            let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
            assert_eq!(projects.map(|entry| name(entry.unwrap())).collect::<BTreeSet<_>>(), tests);
        }
    };
}

shelf! {
    go_aliases
    go_assembly_includes_a_host_file
    go_broken_module_file
    go_byte_order_mark
    go_byte_order_mark_before_another_package
    go_cgo
    go_cgo_flags
    go_closes_stdout
    go_context_deadline
    go_context_without_input
    go_cycle
    go_embed_outside
    go_empty
    go_errors
    go_exits_by_itself
    go_generator_beside
    go_goroutine_panic
    go_hello
    go_huge_array
    go_json_types
    go_large_numbers
    go_link_name
    go_linked_object
    go_lower_case_handler
    go_main_for_windows_beside
    go_many_errors
    go_missing_handler
    go_missing_handler_in_package
    go_module_asks_for_newer
    go_names_of_the_generated_main
    go_network
    go_newer_language
    go_newer_than_installed
    go_no_parameters
    go_old_language
    go_only_an_error
    go_other_package
    go_own_main
    go_own_module
    go_package_prints_in_init
    go_packages_below
    go_panic_in_init
    go_pointers
    go_prints_in_init
    go_prints_to_stdout
    go_raw_system_calls
    go_replace_with_a_host_path
    go_returned_error
    go_slices
    go_syntax_error
    go_test_file_beside
    go_toolchain_line_downloads_nothing
    go_type_errors
    go_type_recursion
    go_typed_handler
    go_unknown_import
    go_unwritable_output
    go_variable
    go_vendored
    go_windows_lines
    go_work_is_not_read
    go_wrong_signature
    rust_async
    rust_bin_of_another_name
    rust_borrowed_input
    rust_boxed_errors
    rust_broken_manifest
    rust_build_script_looks_around
    rust_byte_order_mark
    rust_byte_order_mark_before_main
    rust_cargo_configuration
    rust_deep_nesting
    rust_dev_dependencies
    rust_disk_bomb_in_build_script
    rust_endless_constant
    rust_ends
    rust_environment
    rust_error_without_display
    rust_exits_by_itself
    rust_git_dependency
    rust_handler_in_main_file
    rust_handler_in_module
    rust_handler_module_of_a_program
    rust_hello
    rust_huge_static
    rust_incbin_host_file
    rust_include_host_file
    rust_input_without_serde
    rust_large_integers
    rust_lib_of_another_name
    rust_linker_script_from_a_host_path
    rust_loud_build
    rust_macro_bomb
    rust_main_with_result
    rust_many_warnings_and_an_error
    rust_misnamed
    rust_missing_handler
    rust_modules
    rust_own_errors
    rust_own_lock
    rust_own_macro
    rust_own_main
    rust_own_main_beside_a_library_that_names_handlers
    rust_own_main_panics
    rust_own_manifest
    rust_own_program
    rust_panic
    rust_prints_to_stdout
    rust_private_handler
    rust_process_bomb_in_build_script
    rust_program_and_library_without_manifest
    rust_program_with_a_library
    rust_program_without_main
    rust_programs_found_by_their_place
    rust_re_exported_handler_with_a_wrong_signature
    rust_shapes
    rust_sleeping_build_script
    rust_syntax_error
    rust_terminal_codes
    rust_thread_bomb_in_build_script
    rust_thread_panic
    rust_tokio_main
    rust_type_error
    rust_type_recursion
    rust_typed_handler
    rust_undeclared_dependency
    rust_unknown_crate
    rust_unwritable_output
    rust_warning
    rust_workspace
    rust_wrong_signature
}

fn projects() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects")
}

async fn check(name: &str) {
    let folder = projects().join(name);
    let expect = fs::read_to_string(folder.join("expect")).unwrap();
    let steps: Vec<(&str, &str)> = expect
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .collect();
    let value = |key: &str| steps.iter().find(|step| step.0 == key).map(|step| step.1);
    let workshop = Workshop::open().await;
    let runtime = value("runtime").unwrap();
    let outcome = workshop.build(runtime, &folder_source(&folder), limits(&steps)).await;
    check_build(&steps, &outcome);
    if value("fails").is_none() {
        check_calls(&workshop, &steps, &binary(outcome)).await;
    }
    workshop.close().await;
}

fn limits(steps: &[(&str, &str)]) -> BuildLimits {
    let mut limits = BuildLimits::default();
    for (key, value) in steps {
        match *key {
            "wall-seconds" => limits.wall_time = Duration::from_secs(value.parse().unwrap()),
            "memory-mib" => limits.memory_bytes = value.parse::<u64>().unwrap() << 20,
            "log-kib" => limits.log_bytes = value.parse::<usize>().unwrap() << 10,
            _ => {}
        }
    }
    limits
}

fn check_build(steps: &[(&str, &str)], outcome: &BuildOutcome) {
    let (reason, diagnostics, log) = match outcome {
        BuildOutcome::Built(built) => (None, &built.diagnostics, &built.log),
        BuildOutcome::Failed(failed) => {
            (Some(failed.reason.as_str()), &failed.diagnostics, &failed.log)
        }
    };
    let expected = steps.iter().find(|step| step.0 == "fails").map(|step| step.1);
    assert_eq!(reason, expected, "{outcome:#?}");
    let is_unseen = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!log.text.contains(is_unseen), "{:?}", log.text);
    let diagnostics: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    for (key, text) in steps {
        match *key {
            "diagnostic" => {
                let found = diagnostics.iter().any(|line| line.starts_with(text));
                assert!(found, "{text:?} is not in {diagnostics:#?}\n{}", log.text);
            }
            "message" => {
                let BuildOutcome::Failed(failed) = outcome else { panic!("{outcome:#?}") };
                assert!(failed.message.contains(text), "{:?}", failed.message);
            }
            "log-has" => assert!(log.text.contains(text), "{}", log.text),
            "log-lacks" => assert!(!log.text.contains(text), "{}", log.text),
            _ => {}
        }
    }
}

async fn check_calls(workshop: &Workshop, steps: &[(&str, &str)], binary: &[u8]) {
    let mut env = Vec::new();
    let mut last: Option<(&str, Outcome)> = None;
    for (key, text) in steps {
        match *key {
            "runtime" | "diagnostic" | "log-has" | "log-lacks" => {}
            "wall-seconds" | "memory-mib" | "log-kib" => {}
            "env" => env.push(text.split_once('=').unwrap()),
            "call" => last = Some((text, workshop.call(binary, text, &env).await)),
            "stderr" => {
                let (input, outcome) = last.as_ref().unwrap();
                let log = String::from_utf8_lossy(&outcome.stderr);
                assert!(log.contains(text), "{input}: {text:?} is not in {log}");
            }
            _ => {
                let (input, outcome) = last.as_ref().unwrap();
                check_result(key, text, input, &interpret(outcome));
            }
        }
    }
}

fn check_result(key: &str, text: &str, input: &str, result: &FunctionResult) {
    match result {
        FunctionResult::Completed { output } => {
            assert_eq!((key, text), ("output", output.as_str()), "{input}");
        }
        FunctionResult::Failed { reason, message } => {
            assert_eq!(reason.as_str(), key, "{input}: {message}");
            assert!(message.contains(text), "{input}: {text:?} is not in {message:?}");
        }
    }
}
