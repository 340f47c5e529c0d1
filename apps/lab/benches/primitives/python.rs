//! Python's side: one interpreter for all rounds, which is told on a line what to do and says how long it took.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// The functions give how many, and how many seconds. As with ours, the clock starts when the other process is there, and stops when the
/// last message has been got.
const PROGRAM: &str = r#"
import multiprocessing, sys, time

MESSAGE = "x" * 100
COUNT = 100_000
FORK = multiprocessing.get_context("fork")

def produce(put, ready):
    ready.send(None)
    for _ in range(COUNT):
        put(MESSAGE)

def consume(put, get):
    ours, theirs = FORK.Pipe()
    child = FORK.Process(target=produce, args=(put, theirs))
    child.start()
    ours.recv()
    start = time.perf_counter()
    for _ in range(COUNT):
        get()
    took = time.perf_counter() - start
    child.join()
    return COUNT, took

def queue():
    queue = FORK.Queue()
    return consume(queue.put, queue.get)

def pipe():
    receiver, sender = FORK.Pipe(duplex=False)
    return consume(sender.send, receiver.recv)

TASKS = 100_000
TWO = None

def nothing(task):
    pass

def pool_map():
    global TWO
    if TWO is None:
        TWO = FORK.Pool(2)
    start = time.perf_counter()
    TWO.map(nothing, range(TASKS))
    return TASKS, time.perf_counter() - start

def pool_apply():
    global TWO
    if TWO is None:
        TWO = FORK.Pool(2)
    start = time.perf_counter()
    for task in range(APPLIED):
        TWO.apply(nothing, (task,))
    return APPLIED, time.perf_counter() - start

APPLIED = 2_000

print("ready", flush=True)
for line in sys.stdin:
    count, took = {"queue": queue, "pipe": pipe, "pool_map": pool_map, "pool_apply": pool_apply}[line.strip()]()
    print(count, took, flush=True)
"#;

/// The interpreter.
pub(crate) struct Python {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// `Err`: why there is none.
    pub(crate) fn start() -> Result<Self, String> {
        let mut command = Command::new("python3");
        command.args(["-c", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        if line.trim() != "ready" {
            let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr).into_owned();
            return Err(said.lines().last().unwrap_or("it says nothing").to_owned());
        }
        Ok(Self { child, orders, answers })
    }

    /// One round of this function.
    pub(crate) fn round(&mut self, function: &str) -> (usize, Duration) {
        writeln!(self.orders.as_mut().unwrap(), "{function}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let (count, took) = line.trim().split_once(' ').unwrap();
        (count.parse().unwrap(), Duration::from_secs_f64(took.parse().unwrap()))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // the end of its input ends it
        self.orders = None;
        let _ = self.child.wait();
    }
}
