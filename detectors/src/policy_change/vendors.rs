//! Accounts known to be vendors', and those AWS services deliver logs from.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Whose a known account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// A vendor's.
    Vendor(&'static str),
    /// An AWS service's, which delivers logs from it.
    Delivery(&'static str),
}

static ACCOUNTS: LazyLock<BTreeMap<&str, Known>> = LazyLock::new(|| {
    include_str!("../../data/vendor_accounts.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (account, rest) = line.split_once('\t')?;
            let (name, kind) = rest.split_once('\t')?;
            Some((account, if kind == "delivery" { Known::Delivery(name) } else { Known::Vendor(name) }))
        })
        .collect()
});

/// Whose an account is, where that is known.
pub(crate) fn owner(account: &str) -> Option<Known> {
    ACCOUNTS.get(account).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy_change::condition::is_account;

    #[test]
    fn every_row_is_an_account_and_a_name() {
        assert!(ACCOUNTS.len() > 50);
        assert!(ACCOUNTS.keys().all(|account| is_account(account)));
        assert_eq!(owner("464622532012"), Some(Known::Vendor("Datadog")));
        assert_eq!(owner("127311923021"), Some(Known::Delivery("ELB access logs")));
    }
}
