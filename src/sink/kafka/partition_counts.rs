//! The number of partitions of each topic. A topic can get more of them at any time, and a key then belongs to another one.

use std::collections::HashMap;
use std::time::Duration;

use rskafka::topic::Topic;
use tokio::time::Instant;

/// The brokers are asked again after this time, before the next delivery. An idle sink doesn't ask.
const AGE_MAX: Duration = Duration::from_secs(60);

/// The numbers that the brokers gave last.
pub(super) struct PartitionCounts {
    of_topics: HashMap<String, usize>,
    asked_at: Instant,
}

impl PartitionCounts {
    /// Takes the topics that the brokers have given now.
    pub(super) fn new(topics: Vec<Topic>) -> PartitionCounts {
        let of_topics = topics.into_iter().map(|topic| (topic.name, topic.partitions.len())).collect();
        PartitionCounts { of_topics, asked_at: Instant::now() }
    }

    /// Whether the brokers must be asked again before the next delivery.
    pub(super) fn are_old(&self) -> bool {
        self.asked_at.elapsed() >= AGE_MAX
    }

    /// Takes the topics that the brokers have given now. Kafka removes no partition from a topic, so a smaller number comes from a
    /// broker that doesn't know the new ones yet.
    pub(super) fn renew(&mut self, topics: Vec<Topic>) {
        let PartitionCounts { of_topics, asked_at } = PartitionCounts::new(topics);
        for (topic, count) in of_topics {
            let known = self.of_topics.entry(topic).or_default();
            *known = count.max(*known);
        }
        self.asked_at = asked_at;
    }

    /// Returns the number of partitions of a topic; `None` if there is no such topic.
    pub(super) fn of(&self, topic: &str) -> Option<usize> {
        self.of_topics.get(topic).copied().filter(|count| *count > 0)
    }

    /// The topics that the user can see.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.of_topics.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, count: i32) -> Topic {
        Topic { name: name.to_owned(), partitions: (0..count).collect() }
    }

    #[tokio::test(start_paused = true)]
    async fn counts_get_old_and_only_grow() {
        let mut counts = PartitionCounts::new(vec![topic("a", 3), topic("b", 0)]);
        assert_eq!((counts.of("a"), counts.of("b"), counts.of("c")), (Some(3), None, None));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!counts.are_old());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(counts.are_old());
        counts.renew(vec![topic("a", 6), topic("c", 1)]);
        assert!(!counts.are_old());
        assert_eq!((counts.of("a"), counts.of("c")), (Some(6), Some(1)));
        counts.renew(vec![topic("a", 3)]);
        assert_eq!((counts.of("a"), counts.of("c")), (Some(6), Some(1)), "another broker lags behind");
    }
}
