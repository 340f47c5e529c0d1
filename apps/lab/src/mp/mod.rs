//! Work shared by processes: what Python's `multiprocessing` offers, over real processes and in safe Rust.
