//! The short way to read a record: one pass over the ordinary form AWS writes, without white space.
//!
//! All of the record is held to JSON's grammar, the parts that are only stepped over as well. Whatever is the least bit
//! unusual (white space, an escape where a field is taken, a surrogate, a great number, deep nesting, an envelope)
//! makes the scan give up, and the record is read again the thorough way; the scan never decides that a record is bad.

use std::sync::Arc;

use trailhound_detectors::ActorTable;

use super::block::Held;
use super::callers::Callers;
use super::fields::{Caller, Context, truth};
use super::stops::Stops;

/// Deeper values are left to the thorough way.
const MAX_DEPTH: u32 = 32;
/// Longer numbers are left to the thorough way: up to here every parser agrees.
const MAX_DIGITS: usize = 15;

/// The record is not of the ordinary form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusual;

type Scanned<T> = Result<T, Unusual>;

/// What a scan leans on.
pub(super) struct Aids<'s> {
    /// The stops of the text.
    pub(super) stops: &'s Stops,
    /// Callers met before.
    pub(super) callers: &'s mut Callers,
    /// Actors met before.
    pub(super) actors: &'s mut ActorTable,
}

/// Reads the record that begins at `start`; gives the byte after it.
pub(super) fn record<'a>(text: &'a str, start: usize, aids: Aids<'_>, held: &mut Held<'a>) -> Scanned<usize> {
    let mut scan = Scan { text, bytes: text.as_bytes(), aids, at: start };
    scan.members(|scan, key| scan.field(key, held))?;
    Ok(scan.at)
}

struct Scan<'a, 's> {
    text: &'a str,
    bytes: &'a [u8],
    aids: Aids<'s>,
    at: usize,
}

impl<'a> Scan<'a, '_> {
    #[inline(always)]
    fn peek(&self) -> Scanned<u8> {
        self.bytes.get(self.at).copied().ok_or(Unusual)
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Scanned<()> {
        if self.peek()? != byte {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// The members of the object that begins here: `member` is called behind each colon, and reads the value.
    #[inline(always)]
    fn members(&mut self, mut member: impl FnMut(&mut Self, &'a [u8]) -> Scanned<()>) -> Scanned<()> {
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let (start, end) = self.plain()?;
            self.expect(b':')?;
            let key = self.bytes.get(start..end).ok_or(Unusual)?;
            member(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Unusual),
            }
        }
    }

    /// The string that begins here, which must be without escapes.
    #[inline(always)]
    fn plain_string(&mut self) -> Scanned<&'a str> {
        let (start, end) = self.plain()?;
        self.text.get(start..end).ok_or(Unusual)
    }

    /// Where that string's text begins and ends.
    #[inline(always)]
    fn plain(&mut self) -> Scanned<(usize, usize)> {
        self.expect(b'"')?;
        let start = self.at;
        let end = self.aids.stops.next(start);
        self.at = end;
        self.expect(b'"')?;
        Ok((start, end))
    }

    /// A string, number or truth value as text; nothing for anything else.
    #[inline(always)]
    fn scalar(&mut self) -> Scanned<&'a str> {
        if self.peek()? == b'"' {
            return self.plain_string();
        }
        let text = self.value()?;
        Ok(if text == "null" || text.starts_with(['{', '[']) { "" } else { text })
    }

    #[inline]
    fn truth(&mut self) -> Scanned<Option<bool>> {
        match self.peek()? {
            b't' => self.literal(b"true").map(|()| Some(true)),
            b'f' => self.literal(b"false").map(|()| Some(false)),
            _ => Ok(truth(self.scalar()?)),
        }
    }

    /// The text of the value that begins here, whatever it is.
    #[inline]
    fn value(&mut self) -> Scanned<&'a str> {
        let start = self.at;
        match self.peek()? {
            b'n' => self.literal(b"null")?,
            _ => self.skip_value()?,
        }
        self.text.get(start..self.at).ok_or(Unusual)
    }

    fn skip_value(&mut self) -> Scanned<()> {
        // One bit for every open bracket, the innermost lowest: set for an object.
        let (mut open, mut depth) = (0u32, 0u32);
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    let is_object = bracket == b'{';
                    // The closing bracket lies two behind the opening one, for both kinds.
                    if self.peek()? == bracket + 2 {
                        self.at += 1;
                    } else {
                        depth += 1;
                        if depth == MAX_DEPTH {
                            return Err(Unusual);
                        }
                        open = open << 1 | u32::from(is_object);
                        if is_object {
                            self.skip_key()?;
                        }
                        continue;
                    }
                }
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => self.number()?,
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = open & 1 == 1;
                let byte = self.peek()?;
                self.at += 1;
                match byte {
                    b',' => {
                        if is_object {
                            self.skip_key()?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return Err(Unusual),
                }
                open >>= 1;
                depth -= 1;
            }
        }
    }

    #[inline(always)]
    fn skip_key(&mut self) -> Scanned<()> {
        if self.peek()? != b'"' {
            return Err(Unusual);
        }
        self.skip_string()?;
        self.expect(b':')
    }

    /// Steps over the string that begins here, looking at its escapes.
    #[inline(always)]
    fn skip_string(&mut self) -> Scanned<()> {
        self.at += 1;
        loop {
            self.at = self.aids.stops.next(self.at);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                _ => return Err(Unusual),
            }
        }
    }

    fn escape(&mut self) -> Scanned<()> {
        let digits = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => &[],
            Some(b'u') => self.bytes.get(self.at + 2..self.at + 6).ok_or(Unusual)?,
            _ => return Err(Unusual),
        };
        // Surrogates need their partners looked at.
        if !digits.iter().all(u8::is_ascii_hexdigit) || matches!(digits.first(), Some(b'd' | b'D')) {
            return Err(Unusual);
        }
        self.at += 2 + digits.len();
        Ok(())
    }

    #[inline(always)]
    fn literal<const N: usize>(&mut self, literal: &[u8; N]) -> Scanned<()> {
        if self.bytes[self.at..].first_chunk() != Some(literal) {
            return Err(Unusual);
        }
        self.at += N;
        Ok(())
    }

    /// A number without an exponent: `-1`, `0.25`. The byte behind it is looked at by whoever comes next.
    fn number(&mut self) -> Scanned<()> {
        let digits = |at: usize| {
            self.bytes[at..].iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count()
        };
        let whole = self.at + usize::from(self.peek()? == b'-');
        let count = digits(whole);
        if count == 0 || count > MAX_DIGITS || (count > 1 && self.bytes[whole] == b'0') {
            return Err(Unusual);
        }
        self.at = whole + count;
        if self.peek()? == b'.' {
            let count = digits(self.at + 1);
            if count == 0 || count > MAX_DIGITS {
                return Err(Unusual);
            }
            self.at += 1 + count;
        }
        Ok(())
    }

    /// Looks at the length first: most keys are told by it alone.
    #[inline(always)]
    fn field(&mut self, key: &[u8], held: &mut Held<'a>) -> Scanned<()> {
        let fields = &mut held.fields;
        match (key.len(), key) {
            (7, b"eventID") => fields.event_id = self.scalar()?,
            (8, b"readOnly") => fields.read_only = self.truth()?,
            (9, b"eventTime") => fields.time = self.scalar()?,
            (9, b"eventName") => fields.name = self.scalar()?,
            (9, b"awsRegion") => fields.region = self.scalar()?,
            (9, b"userAgent") => fields.user_agent = self.scalar()?,
            (9, b"errorCode") => fields.error_code = self.scalar()?,
            (9, b"requestID") => fields.request_id = self.scalar()?,
            (9, b"eventType") => fields.event_type = self.scalar()?,
            (9, b"resources") => fields.resources = self.value()?,
            (11, b"eventSource") => fields.source = self.scalar()?,
            (12, b"userIdentity") => self.user_identity(held)?,
            (12, b"errorMessage") => fields.error_message = self.scalar()?,
            (13, b"eventCategory") => fields.category = self.scalar()?,
            (13, b"vpcEndpointId") => fields.vpc_endpoint = self.scalar()?,
            (13, b"sharedEventID") => fields.shared_event_id = self.scalar()?,
            (15, b"sourceIPAddress") => fields.source_ip = self.scalar()?,
            (15, b"managementEvent") => fields.management = self.truth()?,
            (16, b"responseElements") => fields.response = self.value()?,
            (17, b"requestParameters") => fields.request = self.value()?,
            (18, b"recipientAccountId") => fields.recipient = self.scalar()?,
            (19, b"additionalEventData") => fields.additional = self.value()?,
            (19, b"serviceEventDetails") => fields.service_details = self.value()?,
            (28, b"sessionCredentialFromConsole") => fields.from_console = self.truth()?,
            (_, b"insightDetails" | b"digestS3Object" | b"CloudTrailEvent" | b"detail-type") => {
                return Err(Unusual);
            }
            _ => self.skip_value()?,
        }
        Ok(())
    }

    #[inline]
    fn user_identity(&mut self, held: &mut Held<'a>) -> Scanned<()> {
        (held.actor, held.sitting) = (None, None);
        let caller = &mut held.fields.caller;
        let (text, start) = (self.text, self.at);
        let Some(place) = Callers::place(text, start).filter(|_| self.bytes[start] == b'{') else {
            return self.caller(caller);
        };
        let recalled = self.aids.callers.recall(place, text, start);
        let (actor, sitting) = if let Some(recalled) = recalled {
            (*caller, self.at) = (recalled.caller, recalled.end);
            (recalled.actor, recalled.sitting)
        } else {
            self.caller(caller)?;
            let text = text.get(start..self.at).ok_or(Unusual)?;
            let (actor, sitting) = (self.aids.actors.intern(&caller.identity()), caller.sitting());
            self.aids.callers.remember(place, text, (caller, &sitting), actor);
            (Arc::clone(actor), sitting)
        };
        (held.actor, held.sitting) = (Some(actor), Some(sitting));
        Ok(())
    }

    fn caller(&mut self, caller: &mut Caller<'a>) -> Scanned<()> {
        *caller = Caller::default();
        self.members_if_object(|scan, key| {
            let identity = &mut caller.identity;
            match key {
                b"type" => identity.kind = scan.scalar()?,
                b"arn" => identity.arn = scan.scalar()?,
                b"principalId" => identity.principal_id = scan.scalar()?,
                b"accountId" => identity.account = scan.scalar()?,
                b"accessKeyId" => caller.access_key = scan.scalar()?,
                b"userName" => identity.user_name = scan.scalar()?,
                b"invokedBy" => identity.invoked_by = scan.scalar()?,
                b"identityProvider" => identity.provider = scan.scalar()?,
                b"sessionContext" => scan.context(&mut caller.context)?,
                b"onBehalfOf" => {
                    identity.on_behalf_of = "";
                    scan.members_if_object(|scan, key| {
                        match key {
                            b"userId" => identity.on_behalf_of = scan.scalar()?,
                            _ => scan.skip_value()?,
                        }
                        Ok(())
                    })?;
                }
                _ => scan.skip_value()?,
            }
            Ok(())
        })
    }

    fn context(&mut self, context: &mut Context<'a>) -> Scanned<()> {
        *context = Context::default();
        self.members_if_object(|scan, key| {
            match key {
                b"sourceIdentity" => context.source_identity = scan.scalar()?,
                b"sessionIssuer" => {
                    context.issuer_arn = "";
                    scan.members_if_object(|scan, key| {
                        match key {
                            b"arn" => context.issuer_arn = scan.scalar()?,
                            _ => scan.skip_value()?,
                        }
                        Ok(())
                    })?;
                }
                b"attributes" => {
                    (context.mfa, context.created) = (None, "");
                    scan.members_if_object(|scan, key| {
                        match key {
                            b"creationDate" => context.created = scan.scalar()?,
                            b"mfaAuthenticated" => context.mfa = scan.truth()?,
                            _ => scan.skip_value()?,
                        }
                        Ok(())
                    })?;
                }
                _ => scan.skip_value()?,
            }
            Ok(())
        })
    }

    /// [`Self::members`] of an object; any other value is stepped over.
    #[inline(always)]
    fn members_if_object(&mut self, member: impl FnMut(&mut Self, &'a [u8]) -> Scanned<()>) -> Scanned<()> {
        if self.peek()? == b'{' { self.members(member) } else { self.skip_value() }
    }
}
