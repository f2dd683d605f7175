//! Generated: runs the handler as a whole program.

fn main() {
    apprun_serve::serve(function::handler)
}
