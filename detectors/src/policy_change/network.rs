//! Security groups opened to the internet.

use crate::json::Value;
use crate::policy_change::extract::name;
use crate::policy_change::facts::Opening;
use crate::policy_change::path;
use crate::policy_change::verdict::{Code, Verdict};

/// More openings of one call are not kept.
const MAX_OPENINGS: usize = 16;

/// Ports that administer machines or hold data: remote shells and desktops, file shares, databases, caches, cluster APIs.
const GUARDED: [i64; 26] = [
    20, 21, 22, 23, 135, 137, 139, 389, 445, 1433, 1434, 1521, 2049, 2375, 2376, 3306, 3389, 5432, 5500,
    5601, 5900, 5985, 5986, 6379, 9200, 27017,
];
/// Ports meant for the world.
const PUBLIC: [i64; 3] = [80, 443, 8443];

/// What `AuthorizeSecurityGroupIngress` or `ModifySecurityGroupRules` opens to everyone.
pub(crate) fn openings(request: &Value) -> Vec<Opening> {
    let mut openings: Vec<Opening> = path::values(request, "ipPermissions")
        .into_iter()
        .flat_map(|permissions| path::values(permissions, "items").into_iter().chain([permissions]))
        .chain(path::values(request, "securityGroupRule.securityGroupRule"))
        .chain([request])
        .filter(|permission| is_world_open(permission))
        .map(opening)
        .take(MAX_OPENINGS)
        .collect();
    openings.sort_unstable();
    openings.dedup();
    openings
}

fn is_world_open(permission: &Value) -> bool {
    ["ipRanges.cidrIp", "ipv6Ranges.cidrIpv6", "cidrIp", "cidrIpv4", "cidrIpv6"].iter().any(|path| {
        path::values(permission, path).into_iter().any(|range| range.as_str().is_some_and(is_world))
    })
}

/// The whole internet, or so large a part of it that a few such ranges are all of it.
fn is_world(range: &str) -> bool {
    const NARROWEST: u8 = 7;
    let bits = range.rsplit_once('/').and_then(|(_, bits)| bits.parse().ok());
    let is_local = range.starts_with('f') || range.starts_with('F');
    bits.is_some_and(|bits: u8| bits <= NARROWEST) && !is_local
}

fn opening(permission: &Value) -> Opening {
    let number =
        |member: &str| path::text(permission, member).and_then(|text| text.parse().ok()).unwrap_or(-1);
    Opening {
        protocol: name(&path::text(permission, "ipProtocol").unwrap_or_else(|| "-1".to_owned())),
        from: number("fromPort"),
        to: number("toPort"),
    }
}

/// How bad openings are, one verdict each.
pub(crate) fn judge(openings: &[Opening]) -> Vec<Verdict> {
    openings
        .iter()
        .map(|opening| {
            let (ports, is) = ports_of(opening);
            Verdict::new(code(opening), format!("{ports} {is} open to every address"), Vec::new())
        })
        .collect()
}

fn code(opening: &Opening) -> Code {
    let Opening { protocol, from, to } = opening;
    if &**protocol == "icmp" || &**protocol == "icmpv6" || &**protocol == "1" || &**protocol == "58" {
        return Code::NetworkOpen;
    }
    let all = &**protocol == "-1" || *from < 0 || to - from >= 1_024;
    if all || GUARDED.iter().any(|port| (*from..=*to).contains(port)) {
        Code::NetworkAdmin
    } else if from == to && PUBLIC.contains(from) {
        Code::NetworkOpen
    } else {
        Code::NetworkPort
    }
}

fn ports_of(opening: &Opening) -> (String, &'static str) {
    let Opening { protocol, from, to } = opening;
    match (&**protocol, from == to) {
        ("-1", _) => ("all traffic".to_owned(), "is"),
        (protocol, true) if *from >= 0 => (format!("{protocol} port {from}"), "is"),
        (protocol, _) if *from >= 0 => (format!("{protocol} ports {from} to {to}"), "are"),
        (protocol, _) => (format!("all of {protocol}"), "is"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn ports_count_by_what_listens_on_them() {
        for (parameters, expected) in [
            (
                r#"{"ipPermissions":{},"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIp":"0.0.0.0/0"}"#,
                vec![Code::NetworkAdmin],
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":443,"toPort":443,"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}}"#,
                vec![Code::NetworkOpen],
            ),
            (
                r#"{"ipPermissions":[{"fromPort":8080,"toPort":8080,"ipProtocol":"tcp","ipv6Ranges":[{"cidrIpv6":"::/0"}]}]}"#,
                vec![Code::NetworkPort],
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"-1","ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]}}]}}"#,
                vec![Code::NetworkAdmin],
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"}]}}]}}"#,
                vec![],
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"ipv6Ranges":{"items":[{"cidrIpv6":"fc00::/7"}]}}]}}"#,
                vec![],
            ),
            (
                r#"{"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIp":"128.0.0.0/1"}"#,
                vec![Code::NetworkAdmin],
            ),
            (
                r#"{"ModifySecurityGroupRulesRequest":{"GroupId":"sg-1","SecurityGroupRule":{"SecurityGroupRuleId":"sgr-1","SecurityGroupRule":{"IpProtocol":"tcp","FromPort":22,"ToPort":22,"CidrIpv4":"0.0.0.0/0"}}}}"#,
                vec![Code::NetworkAdmin],
            ),
        ] {
            let found: Vec<Code> =
                judge(&openings(&parse(parameters).unwrap())).iter().map(|v| v.code).collect();
            assert_eq!(found, expected, "{parameters}");
        }
    }
}
