//! `--limit`.

/// The largest `--limit`: the rows of a list are kept in memory.
const LIMIT_MAX: usize = 1_000_000;

/// Parses the most rows to show.
///
/// # Errors
/// Anything other than a number from 1 to 1,000,000.
pub(crate) fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
        _ => Err(format!("must be a number from 1 to {LIMIT_MAX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_in_bounds() {
        assert_eq!((parse_limit("1"), parse_limit("1000000")), (Ok(1), Ok(1_000_000)));
        for text in ["0", "-1", "", "all", "1000001", "99999999999999999999999"] {
            assert!(parse_limit(text).unwrap_err().contains("from 1 to 1000000"), "{text}");
        }
    }
}
