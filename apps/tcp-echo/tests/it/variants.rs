//! The models and their sub-options: the list that every property is tested on.

/// A way to run the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// The end of the test's name.
    pub(crate) name: &'static str,
    /// What goes on the command line.
    pub(crate) arguments: &'static [&'static str],
}

impl Variant {
    fn has(&self, argument: &str) -> bool {
        self.arguments.contains(&argument)
    }

    /// A fixed number of workers serves everybody.
    pub(crate) fn is_pool(&self) -> bool {
        self.has("pool")
    }

    /// A handler's crash ends that handler's process and no other.
    pub(crate) fn isolates_crashes(&self) -> bool {
        self.has("process") || self.has("processes")
    }

    /// How many more threads than at the start may stay.
    pub(crate) fn spare_threads(&self) -> usize {
        self.arguments.iter().skip_while(|a| **a != "--spare").nth(1).map_or(0, |n| n.parse().unwrap())
    }

    /// The same with room for `n` clients that stay: only a pool needs to be told.
    pub(crate) fn arguments_for(&self, n: usize) -> Vec<String> {
        let mut arguments: Vec<String> = self.arguments.iter().map(ToString::to_string).collect();
        if let Some(workers) = arguments.iter().position(|a| a == "--workers") {
            arguments[workers + 1] = n.to_string();
        }
        arguments
    }
}

/// Makes the constants and the macros from the list. (`$d` is a dollar for the macros that this one writes.)
macro_rules! variants {
    ($d:tt $($name:ident: $arguments:expr,)+) => {
        /// All of them.
        pub(crate) const ALL: &[Variant] = &[$(Variant { name: stringify!($name), arguments: &$arguments }),+];

        /// The one of this name.
        pub(crate) fn named(name: &str) -> Variant {
            *ALL.iter().find(|variant| variant.name == name).unwrap()
        }

        /// One test of each property for each variant, named `property::variant`.
        macro_rules! on_every_variant {
            ($d($d property:ident),+ $d(,)?) => {
                $d(mod $d property { $(
                    #[test]
                    fn $name() {
                        super::$d property(crate::variants::named(stringify!($name)));
                    }
                )+ })+
            };
        }
    };
}

variants! { $
    thread: ["--mode", "thread"],
    thread_with_spares: ["--mode", "thread", "--spare", "8"],
    process_by_fork: ["--mode", "process"],
    process_by_exec: ["--mode", "process", "--spawn", "exec"],
    pool_of_threads: ["--mode", "pool", "--workers", "16"],
    pool_of_processes: ["--mode", "pool", "--of", "processes", "--workers", "16"],
}
