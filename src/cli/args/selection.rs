//! Which streams are asked about, and how many answers are wanted.

use crate::callback::{DomainPattern, NamePattern, StreamSelection};

/// The largest `--limit`: what is more is a job for `--output json` of smaller spans of time.
const LIMIT_MAX: usize = 1_000_000;

/// Which streams.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub(crate) struct SelectionArguments {
    /// Only this stream, each `*` any characters; repeat it for more
    #[arg(long = "stream", value_name = "STREAM", value_parser = NamePattern::new)]
    streams: Vec<NamePattern>,
    /// Only this domain, or those below it as in `*.example.com`; repeat it for more
    #[arg(long = "domain", value_name = "DOMAIN", value_parser = DomainPattern::new)]
    domains: Vec<DomainPattern>,
}

impl SelectionArguments {
    /// What is asked for, as the index takes it.
    pub(crate) fn selection(&self) -> StreamSelection {
        let (domains, names) = (self.domains.clone(), self.streams.clone());
        StreamSelection { domains, names, ..StreamSelection::default() }
    }
}

/// Reads how many answers are wanted at most.
pub(crate) fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => Err(format!("give a number from 1 to {LIMIT_MAX}; a large one shows all")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_nothing_and_no_limit_are_refused() {
        assert_eq!((parse_limit("1"), parse_limit("1000000")), (Ok(1), Ok(1_000_000)));
        for text in ["0", "-1", "", "all", "1000001", "99999999999999999999999"] {
            assert!(parse_limit(text).unwrap_err().contains("from 1 to 1000000"), "{text}");
        }
    }
}
