//! One program, many attacks: the first argument chooses. Compiled by the tests as a static binary.

mod artifacts;
mod calls;
mod crosstalk;
mod endings;
mod files;
mod honest;
mod memory;
mod network;
mod processes;
mod processor;
mod streams;
mod sys;

use std::path::Path;

/// Every attack by name. The tests say what must come of each.
const ATTACKS: &[(&str, fn(&[String]))] = &[
    ("echo", honest::echo),
    ("work", honest::work),
    ("fork-bomb", processes::fork_bomb),
    ("stubborn-fork-bomb", processes::stubborn_fork_bomb),
    ("thread-bomb", processes::thread_bomb),
    ("daemons", processes::daemons),
    ("daemon-holds-output", processes::daemon_holds_output),
    ("kill-everything", processes::kill_everything),
    ("sleep", processes::sleep),
    ("ignore-signals", processes::ignore_signals),
    ("stop-self", processes::stop_self),
    ("vfork-stopped", processes::parent_of_a_stopped_child),
    ("signal-storm", processes::signal_storm),
    ("queue-signals", processes::queue_signals),
    ("eat", memory::eat),
    ("reserve", memory::reserve),
    ("child-eats", memory::child_eats),
    ("lock-memory", memory::lock_memory),
    ("pipes-full", memory::fill_pipes),
    ("socket-pairs-full", memory::fill_socket_pairs),
    ("spin", processor::spin),
    ("spin-in-threads", processor::spin_in_threads),
    ("spin-in-children", processor::spin_in_children),
    ("priorities", processor::raise_priority),
    ("fill-disk", files::fill_disk),
    ("fill-inodes", files::fill_inodes),
    ("deep-directories", files::deep_directories),
    ("descriptors", files::open_descriptors),
    ("sparse", files::sparse),
    ("big-file", files::big_file),
    ("host-files", files::look_for_host_files),
    ("inherited", files::look_for_descriptors),
    ("walk-up", files::walk_up),
    ("leave-traps", files::leave_traps),
    ("run-written", files::run_written_program),
    ("dir-list", files::list_root),
    ("calls", calls::try_forbidden),
    ("fatal-calls", calls::try_fatal),
    ("wrong-arch", calls::wrong_architecture),
    ("x32", calls::x32),
    ("vsyscall", calls::vsyscall),
    ("violate", calls::violate),
    ("copy-file", artifacts::copy_file),
    ("write-file", artifacts::write_file),
    ("leave-artifact", artifacts::leave),
    ("hold-lease", artifacts::hold_lease),
    ("rewrite-in-background", artifacts::rewrite_in_background),
    ("network", calls::reach_network),
    ("connect", network::connect),
    ("connect-many", network::connect_many),
    ("connect-and-stay", network::connect_and_stay),
    ("ask", network::ask),
    ("sockets", network::open_sockets),
    ("listen", network::listen),
    ("raise-limits", calls::raise_limits),
    ("leave-secret", crosstalk::leave_secret),
    ("find-secret", crosstalk::find_secret),
    ("hold-locks", crosstalk::hold_locks),
    ("exit", endings::exit_with),
    ("die-of", endings::die_of),
    ("abort", endings::abort_now),
    ("exit-in-thread", endings::exit_in_thread),
    ("pid", endings::tell_pid),
    ("flood-stdout", streams::flood_stdout),
    ("flood-stderr", streams::flood_stderr),
    ("one-long-line", streams::one_long_line),
    ("exactly", streams::exactly),
    ("close-streams", streams::close_streams),
    ("ignore-stdin", streams::ignore_stdin),
    ("write-stdin", streams::write_stdin),
    ("trickle", streams::trickle),
];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let name = &args[1];
    // Most of this would really happen outside a sandbox.
    let harmless = ["echo", "work", "exit"].contains(&name.as_str());
    assert!(harmless || !Path::new("/etc/passwd").exists(), "attacks run in a sandbox only");
    match ATTACKS.iter().find(|(known, _)| known == name) {
        Some((_, attack)) => attack(&args[2..]),
        None => panic!("no attack is called {name}"),
    }
}
