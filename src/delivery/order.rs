//! How long the worker of a sink goes on.

/// The order to a worker. Each later one is stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Until there is another order.
    #[default]
    Work,
    /// Until every event that is stored by now is delivered or has failed: the service stops.
    Drain,
    /// Until the delivery at hand is done: the sink is removed, or another worker takes its place.
    End,
}
