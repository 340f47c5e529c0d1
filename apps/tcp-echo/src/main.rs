//! x
fn main() { println!("{:?}", std::thread::spawn(|| 1).join().is_ok()); }
