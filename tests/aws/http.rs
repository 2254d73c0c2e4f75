//! What HTTP makes of text.

use std::collections::BTreeMap;

/// Undoes the encoding of forms and queries.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two digits behind a percent sign")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("text")
}

/// Names and values of a form or a query.
pub(crate) fn form(text: &str) -> BTreeMap<String, String> {
    let fields = text.split('&').filter(|field| !field.is_empty());
    fields
        .map(|field| field.split_once('=').unwrap_or((field, "")))
        .map(|(n, v)| (decoded(n), decoded(v)))
        .collect()
}
