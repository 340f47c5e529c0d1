//! Queue and pipe between processes, tested by a process with one thread.
mod runner;
fn main() -> std::process::ExitCode {
    runner::run(&[])
}
