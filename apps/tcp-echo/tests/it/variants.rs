//! The models and their sub-options: the list that every property is tested on. It stands in `model.rs`.

use clap::Parser;
use tcp_echo::about::{CrashEnds, Listeners, Needs, Serves};
use tcp_echo::check::check;
use tcp_echo::cli::Arguments;
use tcp_echo::model::Mode;

/// A way to run the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variant {
    /// The end of the test's name.
    pub(crate) name: &'static str,
    /// What goes on the command line.
    arguments: &'static str,
}

impl Variant {
    /// What goes on the command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.arguments.split_whitespace().map(str::to_owned).collect()
    }

    fn parsed(&self) -> Arguments {
        Arguments::try_parse_from(["tcp-echo".to_owned()].into_iter().chain(self.arguments())).unwrap()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.parsed().mode
    }

    /// What the model says of itself.
    pub(crate) fn needs(&self) -> Needs {
        check(&self.parsed(), 1_000).unwrap().0.needs(100)
    }

    /// A fixed number of workers serves everybody, a connection at a time each.
    pub(crate) fn is_pool(&self) -> bool {
        self.mode().about().serves == Serves::AsManyAsWorkers
    }

    /// A queue of accepted connections stands before the workers.
    pub(crate) fn has_queue(&self) -> bool {
        self.mode() == Mode::Pool
    }

    /// Out of that queue the newest comes first.
    pub(crate) fn is_lifo(&self) -> bool {
        self.arguments.contains("lifo")
    }

    /// Memory that all connections share and that is touched with use, in KiB: the rings' buffers.
    pub(crate) fn shared_buffers_kib(&self) -> u64 {
        if self.mode() == Mode::Uring { 2 * 512 * 16 } else { 0 }
    }

    /// Two clients can be served at a time, whoever they are. (Workers that block and do not share a listener may leave a client
    /// waiting behind another one.)
    pub(crate) fn serves_two_for_sure(&self) -> bool {
        let own_listeners = matches!(self.needs().listeners, Listeners::Reuseport(_));
        match self.mode().about().serves {
            Serves::One => false,
            Serves::AsManyAsWorkers => !own_listeners,
            Serves::AsManyAsCome => true,
        }
    }

    /// So many of `wanted` clients can be served at a time for sure.
    pub(crate) fn at_a_time(&self, wanted: usize) -> usize {
        if self.serves_two_for_sure() { wanted } else { wanted.min(1) }
    }

    /// A handler's crash ends that handler's process and no other.
    pub(crate) fn isolates_crashes(&self) -> bool {
        self.needs().crash == CrashEnds::ItsConnection
    }

    /// A handler that never comes back holds up nobody who is connected to somebody else.
    pub(crate) fn survives_a_hang(&self) -> bool {
        // (a loop or a task's thread serves many; the hybrid's loops do not run handlers)
        let on_a_loop = matches!(self.mode(), Mode::EventLoop | Mode::Async | Mode::Uring);
        self.serves_two_for_sure() && !on_a_loop
    }

    /// How many more threads than at the start may stay.
    pub(crate) fn spare_threads(&self) -> usize {
        let words = self.arguments();
        words.iter().skip_while(|a| *a != "--spare").nth(1).map_or(0, |n| n.parse().unwrap())
    }

    /// The same with room for `n` clients that stay: only a pool needs to be told.
    pub(crate) fn arguments_for(&self, n: usize) -> Vec<String> {
        let mut arguments = self.arguments();
        if let Some(workers) = arguments.iter().position(|a| a == "--workers").filter(|_| self.is_pool()) {
            arguments[workers + 1] = n.to_string();
        }
        arguments
    }
}

/// Makes the constants and the macros from the list. (`$d` is a dollar for the macros that this one writes.)
macro_rules! variants {
    ($d:tt $($name:ident: $arguments:literal,)+) => {
        /// All of them.
        pub(crate) const ALL: &[Variant] = &[$(Variant { name: stringify!($name), arguments: $arguments }),+];

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

tcp_echo::for_every_variant!(variants $);

/// A mode or a value of an option that is missing in the list would go untested.
#[test]
fn the_list_is_complete() {
    use clap::ValueEnum;
    for mode in Mode::value_variants() {
        let about = mode.about();
        let of_mode: Vec<&Variant> = ALL.iter().filter(|variant| variant.mode() == *mode).collect();
        assert!(!of_mode.is_empty(), "--mode {} is not tested", about.name);
        // what happens when the queue is full is tested with the queue
        for choice in about.choices.iter().filter(|choice| choice.option != "--on-full") {
            for value in choice.values.iter().skip(1) {
                let words = format!("{} {value}", choice.option);
                assert!(
                    of_mode.iter().any(|v| v.arguments.contains(&words)),
                    "--mode {} {words} is not tested",
                    about.name
                );
            }
        }
    }
}
